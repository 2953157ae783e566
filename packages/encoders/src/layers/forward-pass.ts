import {
  LejepaError,
  oneOf,
  requireArgument,
  requireOptions,
  requireShape,
  requireTensors,
  someObject,
  type Tensors,
} from "@lejepa/ops";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ApplyOptions } from "../encoder.js";

/** What a run of a model has in common for all its layers. */
interface Run {
  /** Name of the model, for messages. */
  readonly owner: string;
  /** Shape of every parameter, by its name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly parameters: Tensors;
  readonly mode: "train" | "eval";
  readonly updates: Record<string, Tensor>;
}

/** One run of a model as one of its layers sees it: its parameters by its own names, and where its new running statistics
 *  go. */
export class ForwardPass {
  readonly #run: Run;
  readonly #scope: string;

  private constructor(run: Run, scope: string) {
    this.#run = run;
    this.#scope = scope;
  }

  /** The pass as the outermost layer sees it.
   *  @param shapes of every parameter, by its name
   *  @throws LejepaError "bad-argument" and "bad-option" for what a caller without a compiler may pass */
  static begin(
    owner: string,
    shapes: ReadonlyMap<string, readonly number[]>,
    parameters: Tensors,
    options: ApplyOptions,
  ): ForwardPass {
    requireArgument(owner, "parameters", parameters, someObject);
    requireOptions(owner, options, { mode: oneOf(["train", "eval"]) });
    return new ForwardPass({ owner, shapes, parameters, mode: options.mode, updates: {} }, "");
  }

  /** The pass as a layer within this one sees it. */
  within(name: string): ForwardPass {
    return new ForwardPass(this.#run, `${this.#scope}${name}.`);
  }

  /** Which statistics batch normalisation uses. */
  get mode(): "train" | "eval" {
    return this.#run.mode;
  }

  /** New values of the buffers met so far, by their names in the model. */
  get updates(): Tensors {
    return this.#run.updates;
  }

  /** A parameter of the layer. Throws LejepaError "missing-parameter" and "bad-shape". */
  parameter(name: string): Tensor {
    const { owner, shapes, parameters } = this.#run;
    const full = this.#scope + name;
    const tensor = parameters[full];
    if (tensor === undefined) {
      throw new LejepaError(
        "missing-parameter",
        `${owner}: there is no parameter "${full}"; pass every tensor that init(seed) returns.`,
      );
    }
    requireTensors(owner, { [full]: tensor });
    // Asked here, since one of another shape may have as many elements, or broadcast.
    requireShape(owner, full, tensor.shape, shapes.get(full)!);
    return tensor;
  }

  /** Weight and bias of the layer, or of one within it. */
  affine(name?: string): { readonly weight: Tensor; readonly bias: Tensor } {
    const scope = name === undefined ? "" : `${name}.`;
    return { weight: this.parameter(`${scope}weight`), bias: this.parameter(`${scope}bias`) };
  }

  /** Gives a buffer of the layer its next value. */
  update(name: string, value: Tensor): void {
    this.#run.updates[this.#scope + name] = value;
  }
}
