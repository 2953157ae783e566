/** A tfjs-core backend that computes nothing: it records every kernel that runs on it, with its attributes, shapes
 *  and the line that called it. Shapes come from lowering the kernel on the spot, so there is no second table of
 *  shape rules, and whatever cannot be lowered is refused where it is called. */
import {
  KernelBackend,
  registerKernel,
  getKernel,
  type BackendValues,
  type DataType,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import { AllReduceMean, runningComposite, type LejepaError } from "@lejepa/ops";
import { engineError } from "../engine-error.js";
import { literalOf, newValue, type GraphNode, type Literal, type Value } from "../graph/graph.js";
import { asList, lowerKernel, type LoweringTarget } from "../lower.js";
import { GraphBuilder } from "../graph/builder.js";
import { requireInside } from "../passes/index-checks.js";
import { CallSite } from "../graph/call-site.js";

/** The name it is registered under while a step is being captured, and at no other time. One for each engine, as their
 *  tables differ in the composite kernels that they know as one. */
export const recorderName = ({ engine }: LoweringTarget): string => `lejepa-capture-${engine}`;

/** A constant that the step made from numbers. */
export interface RecordedLiteral {
  readonly value: Value;
  readonly literal: Literal;
  readonly site: CallSite | undefined;
}

/** What happened, in order. */
export type RecordedEvent =
  | { readonly kind: "kernel"; readonly node: GraphNode }
  | { readonly kind: "literal"; readonly recorded: RecordedLiteral };

type NamedInfos = Readonly<Record<string, TensorInfo | null | undefined>>;

export class Recorder extends KernelBackend {
  readonly events: RecordedEvent[] = [];
  /** The first thing that cannot be captured; kept, because the step may swallow the exception. */
  refusal: LejepaError | undefined;
  readonly #values = new Map<object, { readonly value: Value; references: number }>();
  readonly #disposed = new WeakSet<object>();
  readonly #literals = new WeakMap<Value, Literal>();

  constructor(private readonly target: LoweringTarget) {
    super();
  }

  /** Records one kernel and returns what tfjs makes tensors of. */
  record(
    op: string,
    inputs: NamedInfos,
    attributes: Readonly<Record<string, unknown>>,
  ): TensorInfo | TensorInfo[] {
    const site = new CallSite();
    const present = Object.entries(inputs).filter(([, info]) => info != null);
    const operands = Object.fromEntries(
      present.map(([name, info]) => [name, this.valueBehind(info!, op, site)]),
    );
    if (op === "Identity") return this.#another(inputs.x!);
    const g = new GraphBuilder();
    for (const value of Object.values(operands)) {
      const literal = this.#literals.get(value);
      if (literal) g.know(value, literal);
    }
    // No engine lowers an average over processes: that is where the graph is cut.
    const results =
      op === AllReduceMean
        ? operands["x"]!
        : this.#refusing(() => lowerKernel(this.target, { op, attributes, site }, operands, g));
    const outputs = asList(results).map(({ shape, dtype }) => newValue(shape, dtype));
    const node: GraphNode = {
      op,
      domain: "tfjs",
      inputNames: present.map(([name]) => name),
      inputs: Object.values(operands),
      attributes,
      outputs,
      layer: runningComposite(),
      site,
    };
    this.#refusing(() => requireInside(node, (value) => this.#literals.get(value)));
    this.events.push({ kind: "kernel", node });
    const infos = outputs.map((value) => this.infoOf(value));
    // tfjs tells a kernel with a list of results from one with a single result by this.
    return "dtype" in results ? infos[0]! : infos;
  }

  /** A copy of a tensor is another reference to its value. Some of tfjs's gradients rely on that: they read a tensor
   *  whose last handle is gone while a copy of it lives. */
  #another({ dataId, shape, dtype }: TensorInfo): TensorInfo {
    this.incRef(dataId);
    return { dataId, shape, dtype };
  }

  /** A tensor description of a value, as tfjs takes it. */
  infoOf(value: Value): TensorInfo {
    const dataId = {};
    this.#values.set(dataId, { value, references: 1 });
    return { dataId, shape: [...value.shape], dtype: value.dtype as DataType };
  }

  /** The value behind a tensor; refuses one that this recorder did not make. */
  valueBehind({ dataId }: { readonly dataId: object }, op: string, site: CallSite): Value {
    const entry = this.#values.get(dataId);
    if (entry) return entry.value;
    if (this.#disposed.has(dataId))
      this.refuse(
        "step-failed",
        `The step uses a tensor after it was disposed (kernel ${op}, called at ${String(site)}); leave tensors to the engine, which frees those of a step.`,
      );
    return this.refuse(
      "outside-tensor",
      `The step uses a tensor that was made outside of it (kernel ${op}, called at ${String(site)}); pass it in as state or as an input, or make it inside the step from numbers.`,
    );
  }

  refuse(code: Parameters<typeof engineError>[0], message: string): never {
    return this.#refusing(() => {
      throw engineError(code, message);
    });
  }

  #refusing<R>(body: () => R): R {
    try {
      return body();
    } catch (error) {
      this.refusal ??= error as LejepaError;
      throw error;
    }
  }

  /** Says what a tensor of the step is, for an error: "the result of kernel Sum". */
  describe({ dataId }: { readonly dataId: object }): string {
    const value = this.#values.get(dataId)?.value;
    for (const event of this.events) {
      if (event.kind === "literal" && event.recorded.value === value) return "a constant";
      if (event.kind === "kernel" && event.node.outputs.some((output) => output === value))
        return `the result of kernel ${event.node.op}`;
    }
    return value === undefined ? "a tensor made outside of it" : "a tensor that was passed in";
  }

  #refuseRead(dataId: object): never {
    return this.refuse(
      "tensor-read",
      `The step reads the values of ${this.describe({ dataId })} at ${String(new CallSite())}; there are none while it is captured. Return the tensor among the outputs and read it there.`,
    );
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): object {
    const site = new CallSite();
    if (dtype === "string" || dtype === "complex64")
      this.refuse(
        "unsupported-kernel",
        `The step makes a ${dtype} tensor at ${String(site)}; use float32, int32 or bool.`,
      );
    const value = newValue(shape, dtype);
    const numbers = values as unknown as ArrayLike<number>;
    const literal = literalOf(numbers);
    // The caller may go on writing into the array that it passed.
    const array = dtype === "float32" ? Float32Array : Int32Array;
    const kept = "dense" in literal ? { dense: array.from(numbers) } : literal;
    this.events.push({ kind: "literal", recorded: { value, literal: kept, site } });
    this.#literals.set(value, kept);
    return this.infoOf(value).dataId;
  }

  override move(): void {
    this.refuse(
      "outside-tensor",
      `A tensor of another backend is moved into the step at ${String(new CallSite())}; pass it in as state or as an input.`,
    );
  }

  override readSync(dataId: object): BackendValues {
    return this.#refuseRead(dataId);
  }

  /** Never settles: nobody may be waiting for it, and the refusal is thrown when the step returns. */
  override read(dataId: object): Promise<BackendValues> {
    try {
      this.#refuseRead(dataId);
    } catch {
      return new Promise(() => {});
    }
  }

  override refCount(dataId: object): number {
    return this.#values.get(dataId)?.references ?? 0;
  }
  override incRef(dataId: object): void {
    const entry = this.#values.get(dataId);
    if (entry) entry.references++;
  }
  override disposeData(dataId: object, force = false): boolean {
    const entry = this.#values.get(dataId);
    if (entry && !force && --entry.references > 0) return false;
    this.#values.delete(dataId);
    this.#disposed.add(dataId);
    return true;
  }
  override numDataIds(): number {
    return this.#values.size;
  }
  override memory() {
    return { unreliable: true, reasons: ["Nothing is computed while a step is captured."] };
  }
  override floatPrecision(): 16 | 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override timerAvailable(): boolean {
    return false;
  }
  override dispose(): void {
    this.#values.clear();
  }
}

/** Points every kernel of the table at whichever recorder is active. */
export function registerRecorderKernels(target: LoweringTarget): void {
  const backendName = recorderName(target);
  for (const kernelName of [...Object.keys(target.table), AllReduceMean])
    if (!getKernel(kernelName, backendName))
      registerKernel({
        kernelName,
        backendName,
        kernelFunc: ({ inputs, attrs, backend }) =>
          (backend as Recorder).record(kernelName, inputs, attrs ?? {}),
      });
}
