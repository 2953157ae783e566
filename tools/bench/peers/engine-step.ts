/** Our side of `npm run bench -- peers`: says `ready`, then answers each line `N` with the times of N steps. */
import { createInterface } from "node:readline";
import { createEngine } from "@lejepa/engine";
import { models } from "../reference-steps.js";
import { openReferenceStep } from "../step.js";

const model = models.find((name) => name === process.argv[2]);
if (model === undefined) throw new RangeError(`engine-step: the model is ${models.join(" or ")}.`);
const step = await openReferenceStep(await createEngine("onnx"), model);
for (let i = 0; i < 4; i++) await step.run();
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const times: number[] = [];
  for (let i = 0; i < Number(line); i++) times.push((await step.run()).milliseconds);
  console.log(JSON.stringify(times));
}
