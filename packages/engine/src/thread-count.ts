/** A number of threads, for a person: "1 thread", "2 threads". */
export const threadCount = (threads: number): string =>
  `${threads} thread${threads === 1 ? "" : "s"}`;
