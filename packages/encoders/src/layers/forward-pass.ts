import {
  LejepaError,
  nearestName,
  oneOf,
  optional,
  requireArgument,
  requireOptions,
  requireShape,
  requireTensors,
  said,
  someArray,
  someObject,
  type Tensors,
} from "@lejepa/ops";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ApplyOptions } from "../encoder.js";

/** What a run of a model has in common for all its layers. */
interface Run extends Pick<ModelContents, "owner" | "shapes"> {
  readonly parameters: Tensors;
  readonly mode: "train" | "eval";
  readonly updates: Record<string, Tensor>;
  readonly draws: Tensors;
  /** Names of the features that were asked for. */
  readonly asked: readonly string[];
  readonly features: Record<string, Tensor>;
}

/** What a model has, by its full names. */
export interface ModelContents {
  /** Its name, for messages. */
  readonly owner: string;
  /** Shape of every parameter. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Its features. */
  readonly features: readonly string[];
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
   *  @throws LejepaError "unknown-feature"; "bad-argument" and "bad-option" for what a caller without a compiler may pass */
  static begin(model: ModelContents, parameters: Tensors, options: ApplyOptions): ForwardPass {
    const { owner, shapes } = model;
    requireArgument(owner, "parameters", parameters, someObject);
    requireOptions(owner, options, {
      mode: oneOf(["train", "eval"]),
      draws: optional(someObject),
      features: optional(someArray),
    });
    const { mode, draws = {}, features: asked = [] } = options;
    for (const name of asked) {
      if (model.features.includes(name)) continue;
      throw new LejepaError(
        "unknown-feature",
        `${owner}: there is no feature ${said(name)}; ${nearestName(String(name), model.features)}.`,
      );
    }
    return new ForwardPass(
      { owner, shapes, parameters, mode, draws, asked, updates: {}, features: {} },
      "",
    );
  }

  /** The pass as a layer within this one sees it. */
  within(name: string): ForwardPass {
    return new ForwardPass(this.#run, `${this.#scope}${name}.`);
  }

  /** The name of the model, for messages. */
  get owner(): string {
    return this.#run.owner;
  }

  /** Which statistics batch normalisation uses. */
  get mode(): "train" | "eval" {
    return this.#run.mode;
  }

  /** New values of the buffers met so far, by their names in the model. */
  get updates(): Tensors {
    return this.#run.updates;
  }

  /** Whether features were asked for. */
  get handsOutFeatures(): boolean {
    return this.#run.asked.length > 0;
  }

  /** The features that were asked for and met so far, by their names in the model. */
  get features(): Tensors {
    return this.#run.features;
  }

  /** Hands out a feature of the layer, where it was asked for. */
  offer(name: string, value: () => Tensor): void {
    const full = this.#scope + name;
    if (this.#run.asked.includes(full)) this.#run.features[full] = value();
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

  /** The random numbers `name` of the layer, one for each of `images`. Throws LejepaError "missing-draws" and "bad-shape". */
  draws(name: string, images: number): Tensor {
    const { owner, draws } = this.#run;
    const full = this.#scope + name;
    const tensor = draws[full];
    if (tensor === undefined) {
      throw new LejepaError(
        "missing-draws",
        `${owner}: there are no draws "${full}" to train with; pass options.draws, with numbers from 0 to 1 for each name of draws(${images}), or build it with a dropPath of 0.`,
      );
    }
    requireTensors(owner, { [full]: tensor });
    requireShape(owner, full, tensor.shape, [images]);
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
