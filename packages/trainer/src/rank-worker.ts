/** The thread of one rank: its part of every step, on an engine of its own. Not for import: training starts it. */
import { parentPort, workerData } from "node:worker_threads";
import { createEngine, joinThreadGroup } from "@lejepa/engine";
import { imagesOfEach } from "./lejepa-step.js";
import { namedEncoder } from "./run-encoder.js";
import { stepOf } from "./step-of.js";
import type { RankCall, RankReply, RankTask } from "./rank-message.js";

const { group, rank, config, state, engine: name, threads } = workerData as RankTask;
const reply = (message: RankReply): void => parentPort!.postMessage(message);
const failed = (error: unknown): void => {
  const { code, message } = error as { code?: unknown; message: string };
  reply({ failed: { code: typeof code === "string" ? code : undefined, message } });
};

/** Compiles the step, and says what answers calls from then on. */
async function start(): Promise<(call: RankCall) => Promise<RankReply>> {
  const samples = imagesOfEach(config.batchSize, group.size);
  const step = stepOf(config, namedEncoder(config), { rank, samples });
  const engine = await createEngine(name, {
    threads,
    precision: config.precision,
    // This is a thread of its own already.
    thread: "main",
    processes: joinThreadGroup(group, rank),
  });
  const compiled = await engine.compile(step.step, { state, inputs: step.inputs });
  reply({ ready: engine.description });
  return async (call) => {
    switch (call.do) {
      case "run":
        return { tensors: await compiled.run(step.inputsAt(call.moment, call.batch)) };
      case "readState":
        return { tensors: await compiled.readState() };
      case "retrace":
        await compiled.retrace();
        return { retraced: true };
      case "end":
        await engine.dispose();
        return { ended: true };
    }
  };
}

try {
  const answer = await start();
  parentPort!.on("message", (call: RankCall) => void answer(call).then(reply, failed));
} catch (error) {
  failed(error);
}
