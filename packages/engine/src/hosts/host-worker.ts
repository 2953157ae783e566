/** What runs in the worker thread of an engine. Not for import: the engine starts it. */
import { parentPort, workerData } from "node:worker_threads";
import type { HostTensors, LejepaError } from "@lejepa/ops";
import type { EngineErrorCode } from "../engine.js";
import type { Feed, ModelPorts, SessionHost } from "../session-host.js";
import { buffersOf, feedBuffers, type HostCall, type HostReply } from "./host-message.js";
import type { HostSettings } from "./worker-session-host.js";

const host = startHost(workerData as HostSettings);
/** Calls come with the arguments that the other side's types have checked. */
type Methods = Record<keyof SessionHost, (...args: readonly unknown[]) => Promise<unknown>>;
/** What these return is a caller's own, so it moves instead of being copied. */
const movesResult = new Set<keyof SessionHost>(["run", "readState"]);

/** Only the runtime that is asked for is loaded. */
async function startHost(settings: HostSettings): Promise<SessionHost> {
  if (settings.engine === "tensorflow") {
    const { TensorFlowSessionHost } = await import("./tensorflow-session-host.js");
    return new TensorFlowSessionHost(settings);
  }
  const { OnnxSessionHost } = await import("./onnx-session-host.js");
  const { onnxProfile } = await import("./onnx-profile.js");
  return new OnnxSessionHost(await import("onnxruntime-node"), settings, onnxProfile);
}

/** Sessions that keep values for later ones of the same run: one of those may be what the session was fed. */
const keeping = new Set<number>();

async function answer({ id, method, args }: HostCall): Promise<void> {
  let reply: HostReply;
  let owned: ArrayBuffer[] = [];
  try {
    const value = await ((await host) as unknown as Methods)[method](...args);
    if (method === "open" && (args[1] as ModelPorts).keeps.length > 0) keeping.add(value as number);
    const ended = method === "run" && !keeping.has(args[0] as number);
    const spare = ended ? feedBuffers(args[2] as readonly Feed[]) : [];
    owned = movesResult.has(method) ? [...buffersOf(value as HostTensors), ...spare] : [];
    reply = { id, value, spare };
  } catch (error) {
    const { name, code } = error as LejepaError<EngineErrorCode>;
    reply = { id, error, code: name === "LejepaError" ? code : undefined };
  }
  parentPort!.postMessage(reply, owned);
}

parentPort!.on("message", (call: HostCall) => void answer(call));
