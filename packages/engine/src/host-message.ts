import type { HostTensors } from "@lejepa/ops";
import type { SessionHost } from "./session-host.js";

/** A method of a host, to be called in the worker thread. */
export interface HostCall {
  readonly id: number;
  readonly method: keyof SessionHost;
  readonly args: readonly unknown[];
}

/** What came of it. Errors keep message and stack on their way between threads. */
export type HostReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: unknown };

/** The memory of tensors that is given away with them. */
export const buffersOf = (tensors: HostTensors): ArrayBuffer[] => [
  ...new Set(Object.values(tensors).map(({ data }) => data.buffer as ArrayBuffer)),
];
