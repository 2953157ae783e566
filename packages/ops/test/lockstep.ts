import { exchangingBy } from "../src/index.js";

/** Runs `body` as each of K processes and returns what they return. One thread cannot wait for itself, so the processes
 *  are run over and over: what they averaged in earlier rounds is given back to them, the next exchange is collected. */
export function lockstep<R>(processes: number, body: (rank: number) => R): R[] {
  const done: Float32Array[] = [];
  for (;;) {
    const contributions: Float32Array[] = [];
    const results = Array.from({ length: processes }, (_, rank) => {
      let calls = 0;
      const exchange = (values: Float32Array): void => {
        const mean = done[calls++];
        if (mean !== undefined) values.set(mean);
        else if (calls === done.length + 1) contributions.push(values.slice());
      };
      return exchangingBy(exchange, () => body(rank));
    });
    if (contributions.length === 0) return results;
    if (contributions.some(({ length }) => length !== contributions[0]!.length))
      throw new Error("the processes exchange different numbers of values");
    done.push(
      contributions[0]!.map(
        (_, i) => contributions.reduce((sum, values) => sum + values[i]!, 0) / processes,
      ),
    );
  }
}
