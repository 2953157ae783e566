/** A number of things, for a person: "1 step", "2 steps". */
export const counted = (count: number, thing: string): string =>
  `${count} ${thing}${count === 1 ? "" : "s"}`;
