/** Our side of `npm run bench -- peers`: MODEL PEER SIZE. */
import { createEngine, type Engine } from "@lejepa/engine";
import { findTensorFlow, loadTensorFlow } from "@lejepa/engine/setup";
import { ourPeers, type OurPeer } from "../peers.js";
import { models, references } from "../reference-steps.js";
import { openReferenceStep } from "../step.js";
import { answerSteps } from "./answer-steps.js";

const [modelName, peerName, size] = process.argv.slice(2);
const model = models.find((name) => name === modelName);
const peer = ourPeers.find((name) => name === peerName);
if (model === undefined || peer === undefined)
  throw new RangeError(
    `engine-step: MODEL is ${models.join(" or ")}, PEER ${ourPeers.join(" or ")}.`,
  );
const { views } = references[model].batch;
const step = await openReferenceStep(await engineOf(peer), model, { views, size: Number(size) });
await answerSteps(step);

async function engineOf(name: OurPeer): Promise<Engine> {
  if (name !== "tfjs-node") return createEngine(name);
  const installation = await findTensorFlow();
  if (installation === undefined)
    throw new Error("There is no TensorFlow here; run npm run setup:tensorflow.");
  loadTensorFlow(installation);
  return createEngine("eager", { backend: "tensorflow" });
}
