/** What runs in the worker thread of an onnx engine. Not for import: the engine starts it. */
import { parentPort, workerData } from "node:worker_threads";
import type { HostTensors } from "@lejepa/ops";
import * as runtime from "onnxruntime-node";
import { buffersOf, type HostCall, type HostReply } from "./host-message.js";
import { LocalSessionHost, type SessionHost, type SessionSettings } from "./session-host.js";

const host: SessionHost = new LocalSessionHost(runtime, workerData as SessionSettings);
/** Calls come with the arguments that the other side's types have checked. */
type Methods = Record<keyof SessionHost, (...args: readonly unknown[]) => Promise<unknown>>;
/** What these return is a caller's own, so it moves instead of being copied. */
const movesResult = new Set<keyof SessionHost>(["run", "readState"]);

async function answer({ id, method, args }: HostCall): Promise<void> {
  let reply: HostReply;
  let owned: ArrayBuffer[] = [];
  try {
    const value = await (host as unknown as Methods)[method](...args);
    if (movesResult.has(method)) owned = buffersOf(value as HostTensors);
    reply = { id, value };
  } catch (error) {
    reply = { id, error };
  }
  parentPort!.postMessage(reply, owned);
}

parentPort!.on("message", (call: HostCall) => void answer(call));
