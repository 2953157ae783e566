/** A session host in a worker thread, so that the event loop of this one goes on while onnxruntime computes. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { engineError } from "../engine-error.js";
import type { Feed, SessionHost } from "../session-host.js";
import { buffersOf, errorOf, feedBuffers, type HostCall, type HostReply } from "./host-message.js";
import type { OnnxSettings } from "./onnx-session-host.js";
import type { TensorFlowSettings } from "./tensorflow-session-host.js";

/** What a host runs, and how. */
export type HostSettings = OnnxSettings | TensorFlowSettings;

/** Starts the thread. It does not keep the process alive while it has nothing to do.
 *  Throws "worker-failed" where the file that it runs is missing. */
export function startWorkerSessionHost(settings: HostSettings): SessionHost {
  const url = import.meta.url.endsWith(".ts")
    ? new URL("./host-worker-source.mjs", import.meta.url)
    : // Built, this module is part of a file at the root of the package's output.
      new URL("./hosts/host-worker.js", import.meta.url);
  if (!existsSync(fileURLToPath(url)))
    throw engineError(
      "worker-failed",
      `The file of the ${settings.engine} engine's worker thread, ${fileURLToPath(url)}, is missing, as happens when the package is bundled. Keep @lejepa/engine external to the bundle, or pass thread: "main".`,
    );
  const worker = new Worker(url, {
    workerData: settings,
    name: "lejepa engine",
    // Of the process, --input-type (node --eval) would keep a file from being run.
    execArgv: [],
    // Every run leaves arrays behind; with room for them the thread collects less often: 1.01 of the time in the main
    // thread for the MNIST step instead of 1.06.
    resourceLimits: { maxYoungGenerationSizeMb: 64 },
  });
  const waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: unknown) => void }
  >();
  /** Memory that the feeds of the last run came back in. */
  let spare: ArrayBuffer[] = [];
  let lastId = 0;
  let failure: Error | undefined;

  const fail = (why: string, cause?: unknown): void => {
    failure ??= engineError(
      "worker-failed",
      `The ${settings.engine} engine's worker thread stopped: ${why}. Pass thread: "main" to createEngine to see the fault in this thread.`,
      { cause },
    );
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };
  worker.on("message", (reply: HostReply) => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (waiting.size === 0) worker.unref();
    if ("error" in reply) return call?.reject(errorOf(reply));
    if (reply.spare.length > 0) spare = [...reply.spare];
    call?.resolve(reply.value);
  });
  worker.on("error", (cause: unknown) => fail(String(cause), cause));
  worker.on("exit", (code) => fail(`it ended with code ${code}`));
  worker.unref();

  const call = <R>(
    method: keyof SessionHost,
    args: readonly unknown[],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<R> =>
    new Promise((resolve, reject) => {
      if (failure) return reject(failure);
      const id = ++lastId;
      const message: HostCall = { id, method, args };
      worker.postMessage(message, [...transfer]);
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      worker.ref();
    });

  /** The feed with an array that may be given away: posting a part of a larger array would copy all of it. New memory
   *  costs more than the copy (80 us for 200 KB, and 2 where there is some), so each run takes that of the one before.
   *  Shared memory is passed on as it is, and copied by the other thread. */
  const ownFeed = (feed: Feed): Feed => {
    const { data } = feed;
    if (data.buffer instanceof SharedArrayBuffer) return feed;
    const at = spare.findIndex(({ byteLength }) => byteLength === data.byteLength);
    const [memory] = at < 0 ? [] : spare.splice(at, 1);
    if (memory === undefined) return { ...feed, data: data.slice() };
    const own = data instanceof Int32Array ? new Int32Array(memory) : new Float32Array(memory);
    own.set(data);
    return { ...feed, data: own };
  };

  return {
    open: (model, ports) => call("open", [model, ports]),
    close: (session) => call("close", [session]),
    createState: (tensors, sessions) =>
      call("createState", [tensors, sessions], buffersOf(tensors)),
    run: (session, state, feeds) => {
      const own = feeds.map(ownFeed);
      return call("run", [session, state, own], feedBuffers(own));
    },
    profile: (session, state, model, feeds, runs) => {
      const own = feeds.map(ownFeed);
      return call("profile", [session, state, model, own, runs], feedBuffers(own));
    },
    readState: (state) => call("readState", [state]),
    writeState: (state, tensors) => call("writeState", [state, tensors]),
    freeState: (state) => call("freeState", [state]),
    end: async () => {
      // Sessions are freed by their thread: ended together with it they would not be.
      if (failure === undefined) await call("end", []);
      await worker.terminate();
    },
  };
}
