/** A tfjs backend for tests: it records like a capture, and a read runs what was recorded. The graph up to the
 *  tensor that is read is lowered, passes included, and run by onnxruntime. Arrays that the caller made are inputs of
 *  that graph, single numbers are constants in it: both as in a training step. */
import type { BackendValues, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { Tensor, type InferenceSession } from "onnxruntime-node";
import { CallSite } from "../../src/capture/call-site.js";
import { Recorder } from "../../src/capture/recorder.js";
import { sizeOf, type Graph, type GraphNode, type Port } from "../../src/graph/graph.js";
import type { DType, Literal, Value } from "../../src/graph/graph.js";
import { onnxTarget } from "../../src/kernels/table.js";
import { OnnxBuilder } from "../../src/onnx/builder.js";
import { encode } from "../../src/onnx/encode.js";
import { compileGraph, onnxPasses, rewriteCaptured } from "../../src/passes/run-passes.js";

/** What onnxruntime-node's promises wrap: native calls that return when they are done. tfjs's synchronous reads need
 *  them. */
interface NativeSession {
  loadModel(
    buffer: ArrayBufferLike,
    byteOffset: number,
    byteLength: number,
    options: InferenceSession.SessionOptions,
  ): void;
  run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches: Readonly<Record<string, null>>,
    options: object,
  ): Record<string, Tensor>;
  dispose(): void;
}

const { binding, initOrt } = createRequire(import.meta.url)("onnxruntime-node/dist/binding.js") as {
  binding: { InferenceSession: new () => NativeSession };
  initOrt: () => void;
};

const sessionOptions: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  graphOptimizationLevel: "basic",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  // The cases that fail say so themselves.
  logSeverityLevel: 4,
};

const output = "output/y";

export class MaterialiseBackend extends Recorder {
  // Where a value comes from is known for as long as the value is.
  readonly #nodes = new WeakMap<Value, GraphNode>();
  readonly #literals = new WeakMap<Value, Literal>();
  #asked = new Set<string>();
  #madeText = false;

  /** @param blockSize Channels in a block of the blocked layout, where it is to be used. */
  constructor(private readonly blockSize: number | undefined) {
    super(onnxTarget);
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
    const model = encode(
      withOwnType(
        compileGraph(
          rewriteCaptured(graph, "packed"),
          onnxTarget,
          onnxPasses(this.blockSize),
          new OnnxBuilder(this.blockSize),
        ),
      ),
    );
    initOrt();
    const session = new binding.InferenceSession();
    session.loadModel(model.buffer, model.byteOffset, model.byteLength, sessionOptions);
    const results = session.run(feeds, { [output]: null }, {});
    const data = (results[output]!.data as Float32Array | Int32Array).slice();
    session.dispose();
    return data;
  }

  /** What `target` is computed from, operands first. */
  #graphOf(target: Value): { graph: Graph; feeds: Record<string, Tensor> } {
    const nodes = new Set<GraphNode>();
    const inputs: Port[] = [];
    const feeds: Record<string, Tensor> = {};
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
      const name = `input/${inputs.length}`;
      inputs.push({ name, value });
      const data = arrayOf(literal, sizeOf(value.shape), value.dtype);
      feeds[name] = new Tensor(value.dtype as "float32", data as Float32Array, value.shape);
    };
    visit(target);
    const outputs = [{ name: output, value: target }];
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

/** The typed array that tfjs and onnxruntime both hold values of a type in. */
function asType(dtype: DType, values: ArrayLike<number>) {
  if (dtype === "int32") return Int32Array.from(values);
  return dtype === "bool" ? Uint8Array.from(values) : Float32Array.from(values);
}

const arrayOf = (literal: Literal, size: number, dtype: DType) =>
  asType(dtype, "dense" in literal ? literal.dense : new Float64Array(size).fill(literal.uniform));
