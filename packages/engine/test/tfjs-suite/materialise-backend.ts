/** A tfjs backend for tests: it records like a capture, and a read runs what was recorded. The graph up to the
 *  tensor that is read is lowered, passes included, and run by the engine's own runtime. Arrays that the caller made are
 *  inputs of that graph, single numbers are constants in it: both as in a training step. */
import type { BackendValues, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { Recorder } from "../../src/capture/recorder.js";
import { CallSite } from "../../src/graph/call-site.js";
import { sizeOf, type Graph, type GraphNode, type Port } from "../../src/graph/graph.js";
import type { DType, Literal, Value } from "../../src/graph/graph.js";
import { port } from "../../src/graph/port.js";
import type { LoweringTarget } from "../../src/lower.js";

/** What a graph is fed for one of its inputs. */
export interface GraphFeed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** What lowers and runs graphs: one for each engine. It runs them at once, as tfjs's synchronous reads need it. */
export interface GraphRunner {
  readonly target: LoweringTarget;
  /** From the captured graph to the one that runs. */
  lower(captured: Graph): Graph;
  /** The only output of a lowered graph. */
  run(graph: Graph, feeds: readonly GraphFeed[]): ArrayLike<number>;
}

export class MaterialiseBackend extends Recorder {
  // Where a value comes from is known for as long as the value is.
  readonly #nodes = new WeakMap<Value, GraphNode>();
  readonly #literals = new WeakMap<Value, Literal>();
  #asked = new Set<string>();
  #madeText = false;

  constructor(private readonly runner: GraphRunner) {
    super(runner.target);
  }

  /** Forgets what was asked for so far. */
  start(): void {
    this.#asked = new Set();
    this.#madeText = false;
  }
  /** The kernels asked for since the start. */
  get kernels(): readonly string[] {
    return [...this.#asked];
  }
  /** Whether a tensor of text was asked for since the start; there are none. */
  get madeText(): boolean {
    return this.#madeText;
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): object {
    this.#madeText ||= dtype === "string";
    return super.write(values, shape, dtype);
  }

  override record(...kernel: Parameters<Recorder["record"]>): TensorInfo | TensorInfo[] {
    const [op, , { dtype }] = kernel;
    this.#asked.add(op);
    this.#madeText ||= dtype === "string";
    return super.record(...kernel);
  }

  // tfjs always says which; the recorder does not ask.
  override readSync(dataId?: object): BackendValues {
    for (const event of this.events.splice(0)) {
      if (event.kind === "literal")
        this.#literals.set(event.recorded.value, event.recorded.literal);
      else for (const value of event.node.outputs) this.#nodes.set(value, event.node);
    }
    const value = this.valueBehind({ dataId: dataId! }, "read", new CallSite());
    const literal = this.#literals.get(value);
    return literal
      ? arrayOf(literal, sizeOf(value.shape), value.dtype)
      : asType(value.dtype, this.#run(value));
  }

  /** At once: the tensor may be gone by the time that the promise is waited for. */
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws should reject
  override async read(dataId?: object): Promise<BackendValues> {
    return this.readSync(dataId);
  }

  #run(target: Value): ArrayLike<number> {
    const { graph, feeds } = this.#graphOf(target);
    return this.runner.run(withOwnType(this.runner.lower(graph)), feeds);
  }

  /** What `target` is computed from, operands first. */
  #graphOf(target: Value): { graph: Graph; feeds: GraphFeed[] } {
    const nodes = new Set<GraphNode>();
    const inputs: Port[] = [];
    const feeds: GraphFeed[] = [];
    const literals = new Map<Value, Literal>();
    const seen = new Set<Value>();
    const visit = (value: Value): void => {
      if (seen.has(value)) return;
      seen.add(value);
      const node = this.#nodes.get(value);
      if (node) {
        for (const input of node.inputs) if (input) visit(input);
        nodes.add(node);
        return;
      }
      const literal = this.#literals.get(value)!;
      if (value.shape.length === 0) {
        literals.set(value, literal);
        return;
      }
      const { shape, dtype } = value;
      const name = String(inputs.length);
      inputs.push({ name: port.input(name), value });
      feeds.push({ name, shape, dtype, data: arrayOf(literal, sizeOf(shape), dtype) });
    };
    visit(target);
    const outputs = [{ name: port.output("y"), value: target }];
    return {
      graph: { stage: "captured", inputs, outputs, literals, nodes: [...nodes] },
      feeds,
    };
  }
}

/** A step's results leave as float32, which does not hold every whole number; a case reads them as they are. */
function withOwnType(graph: Graph): Graph {
  const outputs = graph.outputs.map(({ name, value }) => {
    const cast = graph.nodes.find(({ op, outputs }) => op === "Cast" && outputs[0] === value);
    const source = cast?.inputs[0];
    return { name, value: source?.dtype === "int32" ? source : value };
  });
  return { ...graph, outputs };
}

/** The typed array that tfjs and the runtimes hold values of a type in. */
function asType(dtype: DType, values: ArrayLike<number>) {
  if (dtype === "int32") return Int32Array.from(values);
  return dtype === "bool" ? Uint8Array.from(values) : Float32Array.from(values);
}

const arrayOf = (literal: Literal, size: number, dtype: DType) =>
  asType(dtype, "dense" in literal ? literal.dense : new Float64Array(size).fill(literal.uniform));
