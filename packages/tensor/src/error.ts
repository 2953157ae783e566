/** What can go wrong in an adapter, in the conformance runner, or in a function built on the contract.
 *  - `shape-mismatch`: shapes, ranks or axes do not fit the operation.
 *  - `invalid-argument`: an argument has a value that is never allowed, whatever the shapes.
 *  - `unsupported`: a capability that this adapter does not declare was called. */
export type TensorErrorCode = "shape-mismatch" | "invalid-argument" | "unsupported";

/** The error of this package and of those built on it.
 *  Two copies of a package may be installed, so recognise it by `name` and `code`, not by `instanceof`. */
export class LejepaError<Code extends string = TensorErrorCode> extends Error {
  /** Always "LejepaError". */
  override readonly name = "LejepaError";
  /** Stable kebab-case name of what went wrong; the message may change, this does not. */
  readonly code: Code;

  /** @param code What went wrong, for programs.
   *  @param message What, where and what to do, for people; one sentence or two. */
  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

/** For adapter authors: the body of a method whose capability the backend lacks.
 *  @param adapter The adapter's `name`.
 *  @param capability The capability that was called.
 *  @returns Never: throws `unsupported`. */
export function unsupported(adapter: string, capability: string): never {
  throw new LejepaError(
    "unsupported",
    `${String(capability)}: the ${String(adapter)} adapter has no such capability. ` +
      `Look in adapter.capabilities before calling it, or use another adapter.`,
  );
}

export { said } from "./said.js";
