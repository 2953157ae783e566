/** Our side of `npm run bench -- sigreg`: IMPLEMENTATION V,N,D,M. Says `ready`, then answers each line `N` with the
 *  times of N evaluations; with `memory` it evaluates once and says by how many bytes the peak of resident memory grew. */
import { createInterface } from "node:readline";
import { implementations, openSigreg, type SigregShape } from "../sigreg-evaluations.js";

const [name, sizes, memory] = process.argv.slice(2);
const implementation = implementations.find((known) => known === name);
if (implementation === undefined)
  throw new RangeError(`sigreg-evaluations: name one of ${implementations.join(", ")}.`);
const shape = sizes!.split(",").map(Number) as unknown as SigregShape;
const peak = () => 1024 * process.resourceUsage().maxRSS;

if (memory === "memory") {
  // What it takes to load the modules and to make the numbers is not what is measured.
  const before = await openSigreg("closed-form", [1, 4, shape[2], 8]).then(() => peak());
  const evaluate = await openSigreg(implementation, shape);
  await evaluate();
  console.log(JSON.stringify({ bytes: peak() - before }));
  process.exit();
}
const evaluate = await openSigreg(implementation, shape);
for (let i = 0; i < 3; i++) await evaluate();
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const times: number[] = [];
  for (let i = 0; i < Number(line); i++) {
    const start = performance.now();
    await evaluate();
    times.push(performance.now() - start);
  }
  console.log(JSON.stringify(times));
}
