import { quadratureOf, type EppsPulleyOptions } from "../epps-pulley.js";
import { checkChoice, checkNames, refuse } from "../refuse.js";
import type { Kernels } from "./kernels.js";
import { PlainKernels } from "./plain-kernels.js";
import { createSimdKernels } from "./simd-kernels.js";
import { exactTest, quadratureTest, type SliceTest } from "./slice-test.js";
import type { FloatArray } from "./sliced-gradient.js";

/** Options of `closedFormWorkspace`. */
export interface ClosedFormWorkspaceOptions {
  /** What computes float32 input: "simd" (default), WebAssembly SIMD where the runtime has it and plain TypeScript
   *  elsewhere, or "plain", plain TypeScript everywhere. Float64 input is always computed in plain TypeScript. */
  readonly kernels?: "simd" | "plain" | undefined;
}

/** Memory that calls of `sigregValueAndGrad` and `lejepaValueAndGrad` use again. It grows to what the largest call needs
 *  and is freed with the object. Its contents are private; one call at a time, which single-threaded code cannot break. */
export interface ClosedFormWorkspace {
  /** What float32 input is computed by: "plain" also where "simd" was asked for and is missing. */
  readonly kernels: "simd" | "plain";
}

/** Buffers that make a call allocate none. */
export interface ClosedFormBuffers<T extends FloatArray> {
  /** Where the gradient goes: as long as the embeddings. Default: a new array. It may not be the embeddings themselves. */
  readonly grad?: T | undefined;
  /** From `closedFormWorkspace`. The object that the call returns is then the workspace's too, and holds until the next
   *  call with it. Default: one that all calls without share and that is kept. */
  readonly workspace?: ClosedFormWorkspace | undefined;
}

/** Makes a workspace; a training loop needs one.
 *  @throws LejepaError `invalid-option`. */
export function closedFormWorkspace(options: ClosedFormWorkspaceOptions = {}): ClosedFormWorkspace {
  checkNames("closedFormWorkspace", options, ["kernels"]);
  const { kernels = "simd" } = options;
  checkChoice("closedFormWorkspace", "kernels", kernels, ["simd", "plain"]);
  return new Workspace(kernels === "simd" ? createSimdKernels() : undefined);
}

/** A workspace from inside. */
export class Workspace implements ClosedFormWorkspace {
  readonly kernels: "simd" | "plain";
  readonly #simd: Kernels | undefined;
  readonly #plain = new PlainKernels();
  #statistics = new Float64Array(0);
  #centre = new Float64Array(0);
  #squares = new Float64Array(0);
  #test: SliceTest | undefined;
  #testOptions: EppsPulleyOptions = {};

  constructor(simd: Kernels | undefined) {
    this.#simd = simd;
    this.kernels = simd === undefined ? "plain" : "simd";
  }

  /** The kernels in the precision of the input. */
  kernelsFor(embeddings: FloatArray): Kernels {
    return embeddings instanceof Float32Array && this.#simd !== undefined
      ? this.#simd
      : this.#plain;
  }

  /** An array of just this length; the same one as long as the length is. */
  statistics(length: number): Float64Array {
    if (this.#statistics.length !== length) this.#statistics = new Float64Array(length);
    return this.#statistics;
  }

  /** Room for so many numbers. */
  centre(length: number): Float64Array {
    if (this.#centre.length < length) this.#centre = new Float64Array(length);
    return this.#centre;
  }

  /** Room for a number of each slice. */
  squares(length: number): Float64Array {
    if (this.#squares.length < length) this.#squares = new Float64Array(length);
    return this.#squares;
  }

  /** The test by its options, kept for the next call with the same ones. */
  test(options: EppsPulleyOptions): SliceTest {
    const { integration, tMax, points, rule } = options;
    const last = this.#testOptions;
    if (
      this.#test === undefined ||
      last.integration !== integration ||
      last.tMax !== tMax ||
      last.points !== points ||
      last.rule !== rule
    ) {
      const chosen = { integration, tMax, points, rule };
      this.#test = testOf(chosen);
      this.#testOptions = chosen;
    }
    return this.#test;
  }
}

/** The slice test that `eppsPulley` with these options is. */
function testOf(options: EppsPulleyOptions): SliceTest {
  const quadrature = quadratureOf(options);
  return quadrature === undefined ? exactTest : quadratureTest(quadrature);
}

let shared: Workspace | undefined;

/** The workspace of a call: the one among its buffers, or the shared one. */
export function workspaceOf<T extends FloatArray>(
  where: string,
  buffers: ClosedFormBuffers<T>,
): Workspace {
  checkNames(where, buffers, ["grad", "workspace"]);
  const { workspace } = buffers;
  if (workspace === undefined) return (shared ??= new Workspace(createSimdKernels()));
  if (!(workspace instanceof Workspace))
    refuse("invalid-option", `${where}: workspace should come from closedFormWorkspace().`);
  return workspace;
}
