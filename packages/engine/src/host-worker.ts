/** What runs in the worker thread of an engine. Not for import: the engine starts it. */
import { parentPort, workerData } from "node:worker_threads";
import type { HostTensors, LejepaError } from "@lejepa/ops";
import type { EngineErrorCode } from "./engine.js";
import { buffersOf, type HostCall, type HostReply } from "./host-message.js";
import type { HostSettings } from "./worker-session-host.js";
import type { SessionHost } from "./session-host.js";

const host = startHost(workerData as HostSettings);
/** Calls come with the arguments that the other side's types have checked. */
type Methods = Record<keyof SessionHost, (...args: readonly unknown[]) => Promise<unknown>>;
/** What these return is a caller's own, so it moves instead of being copied. */
const movesResult = new Set<keyof SessionHost>(["run", "readState"]);

/** Only the runtime that is asked for is loaded. */
async function startHost(settings: HostSettings): Promise<SessionHost> {
  if (settings.engine === "tensorflow") {
    const { TensorFlowSessionHost } = await import("./tensorflow/session-host.js");
    return new TensorFlowSessionHost(settings);
  }
  const { LocalSessionHost } = await import("./session-host.js");
  return new LocalSessionHost(await import("onnxruntime-node"), settings);
}

async function answer({ id, method, args }: HostCall): Promise<void> {
  let reply: HostReply;
  let owned: ArrayBuffer[] = [];
  try {
    const value = await ((await host) as unknown as Methods)[method](...args);
    if (movesResult.has(method)) owned = buffersOf(value as HostTensors);
    reply = { id, value };
  } catch (error) {
    const { name, code } = error as LejepaError<EngineErrorCode>;
    reply = { id, error, code: name === "LejepaError" ? code : undefined };
  }
  parentPort!.postMessage(reply, owned);
}

parentPort!.on("message", (call: HostCall) => void answer(call));
