/** One of the sides of `npm run bench -- processes`: MODEL ENGINE PROCESSES THREADS. Says `ready`, then answers each
 *  line `N` with the times of N steps. */
import { createInterface } from "node:readline";
import { createEngine } from "@lejepa/engine";
import { sharedEngines } from "../processes.js";
import { openSharedStep } from "../ranks/open-shared-step.js";
import { models, references } from "../reference-steps.js";
import { openReferenceStep } from "../step.js";

const [modelName, engineName, processes, threads] = process.argv.slice(2);
const model = models.find((name) => name === modelName);
const name = sharedEngines.find((each) => each === engineName);
if (model === undefined || name === undefined)
  throw new RangeError(
    `processes-step: MODEL is ${models.join(" or ")}, ENGINE ${sharedEngines.join(" or ")}.`,
  );
const step = await openStep(Number(processes), Number(threads));
for (let i = 0; i < 4; i++) await step.run();
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const times: number[] = [];
  for (let i = 0; i < Number(line); i++) times.push((await step.run()).milliseconds);
  console.log(JSON.stringify(times));
}

async function openStep(count: number, each: number) {
  const { batch } = references[model!];
  if (count === 1)
    return openReferenceStep(await createEngine(name, { threads: each }), model!, batch);
  // TensorFlow has one pool of threads for the whole process, and whoever loads it first says how large.
  await createEngine(name, { threads: each, engines: count });
  return openSharedStep(name!, model!, batch, { processes: count, threads: each });
}
