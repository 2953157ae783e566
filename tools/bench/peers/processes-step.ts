/** One of the sides of `npm run bench -- processes`: MODEL ENGINE PROCESSES THREADS. */
import { createEngine } from "@lejepa/engine";
import { sharedEngines } from "../processes.js";
import { openSharedStep } from "../ranks/open-shared-step.js";
import { models, references } from "../reference-steps.js";
import { openReferenceStep } from "../step.js";
import { answerSteps } from "./answer-steps.js";

const [modelName, engineName, processes, threads] = process.argv.slice(2);
const model = models.find((name) => name === modelName);
const name = sharedEngines.find((each) => each === engineName);
if (model === undefined || name === undefined)
  throw new RangeError(
    `processes-step: MODEL is ${models.join(" or ")}, ENGINE ${sharedEngines.join(" or ")}.`,
  );
const step = await openStep(Number(processes), Number(threads));
await answerSteps(step);

async function openStep(count: number, each: number) {
  const { batch } = references[model!];
  if (count === 1)
    return openReferenceStep(await createEngine(name, { threads: each }), model!, batch);
  // TensorFlow has one pool of threads for the whole process, and whoever loads it first says how large.
  await createEngine(name, { threads: each, engines: count });
  return openSharedStep(name!, model!, batch, { processes: count, threads: each });
}
