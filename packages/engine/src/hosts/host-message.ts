import type { HostTensors } from "@lejepa/ops";
import type { EngineErrorCode } from "../engine.js";
import { engineError } from "../engine-error.js";
import type { Feed, SessionHost } from "../session-host.js";

/** A method of a host, to be called in the worker thread. */
export interface HostCall {
  readonly id: number;
  readonly method: keyof SessionHost;
  readonly args: readonly unknown[];
}

/** What came of it. Errors keep message, cause and stack on their way between threads, and nothing else: the code of one
 *  of ours goes beside it. */
export type HostReply =
  | {
      readonly id: number;
      readonly value: unknown;
      /** Memory of the arguments, for those of a later call. */
      readonly spare: readonly ArrayBuffer[];
    }
  | { readonly id: number; readonly error: unknown; readonly code: EngineErrorCode | undefined };

/** What is thrown in the thread that called. */
export function errorOf({ error, code }: { error: unknown; code: EngineErrorCode | undefined }) {
  if (code === undefined) return error;
  const { message, cause, stack } = error as Error;
  return Object.assign(engineError(code, message, { cause }), { stack });
}

/** The memory of tensors that is given away with them. */
export const buffersOf = (tensors: HostTensors): ArrayBuffer[] => [
  ...new Set(Object.values(tensors).map(({ data }) => data.buffer as ArrayBuffer)),
];

/** The memory of feeds that is given away with them; what is shared stays where it is. */
export const feedBuffers = (feeds: readonly Feed[]): ArrayBuffer[] =>
  feeds.flatMap(({ data }) => (data.buffer instanceof ArrayBuffer ? [data.buffer] : []));
