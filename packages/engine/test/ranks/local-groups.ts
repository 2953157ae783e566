import type { ProcessGroup } from "@lejepa/engine";

/** Groups of K processes that are promises of one thread, for an engine that waits: a transport of a few lines. */
export function localGroups(size: number): ProcessGroup[] {
  let waiting: { values: Float32Array; go: (error?: Error) => void }[] = [];
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    allReduceMean: (values) =>
      new Promise<void>((resolve, reject) => {
        waiting[rank] = { values, go: (error) => (error ? reject(error) : resolve()) };
        if (Object.keys(waiting).length < size) return;
        const all = waiting;
        waiting = [];
        if (all.some(({ values: other }) => other.length !== values.length))
          return all.forEach(({ go }) => go(new Error("different numbers of values")));
        const means = values.map(
          (_, i) => all.reduce((sum, one) => sum + one.values[i]!, 0) / size,
        );
        for (const one of all) {
          one.values.set(means);
          one.go();
        }
      }),
  }));
}
