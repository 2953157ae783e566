import { describe, expect, test } from "vitest";
import type { Graph, Shape, Value } from "../graph/graph.js";
import { newValue } from "../graph/graph.js";
import { verify } from "../graph/verify.js";
import { onnxTarget } from "../kernels/table.js";
import { lower } from "../lower.js";
import { GraphBuilder } from "../graph/builder.js";
import { probeBlockSize } from "../onnx/block-size.js";
import { encode } from "../onnx/encode.js";
import { fromBlocked, nchwc, toBlocked } from "../onnx/nchwc.js";
import { loadOnnxRuntime } from "../onnx-engine.js";
import { blockedLayout } from "./blocked-layout.js";
import { commonSubexpressions } from "./common-subexpressions.js";
import { constants } from "./constants.js";
import { deadCode } from "./dead-code.js";
import { fusedChannels } from "./fused-channels.js";
import { gatheredRows } from "./gathered-rows.js";
import { gemmBias } from "./gemm-bias.js";
import { identities } from "./identities.js";
import { lateBroadcasts } from "./late-broadcasts.js";
import { masksFromResults } from "./masks-from-results.js";
import type { Pass } from "./rewrite-nodes.js";
import { rewriteNodes } from "./rewrite-nodes.js";
import { runPasses } from "./run-passes.js";
import { wideBroadcasts } from "./wide-broadcasts.js";

/** y = f(x) with x [2, 3, 1] of float32. */
function graphOf(build: (g: GraphBuilder, x: Value) => Value, shape: Shape = [2, 3, 1]): Graph {
  const x = newValue(shape, "float32");
  const g = new GraphBuilder(blockSize || undefined);
  const y = build(g, x);
  return g.finish([{ name: "x", value: x }], [{ name: "y", value: y }]);
}

async function evaluate(graph: Graph): Promise<number[]> {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const session = await InferenceSession.create(encode(graph), {
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 3,
  });
  const { shape } = graph.inputs[0]!.value;
  const size = shape.reduce((product, length) => product * length, 1);
  const x = new Tensor(
    "float32",
    Float32Array.from({ length: size }, (_, i) => i - 2.5),
    shape,
  );
  const { y } = await session.run({ x });
  await session.release();
  return Array.from(y!.data as Float32Array);
}

const ops = ({ nodes }: Graph): string[] => nodes.map(({ op }) => op);

interface Case {
  readonly title: string;
  readonly pass: Pass;
  readonly build: (g: GraphBuilder, x: Value) => Value;
  /** Of x, [2, 3, 1] if left out. */
  readonly shape?: Shape;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const images: readonly [number, number, number, number] = [2, 3, 2, 32];
/** 0 without a blocked layout, which the cases below cannot do without. */
const blockSize = (await probeBlockSize(await loadOnnxRuntime())) ?? 0;
const row = (g: GraphBuilder, step: number): Value =>
  g.dense(
    Array.from({ length: 32 }, (_, i) => i * step - 2),
    [32],
    "float32",
  );
/** The layout pass, and what it leaves unused dropped. */
const layout: Pass = {
  name: "blocked layout",
  run: (graph) => deadCode.run(blockedLayout(blockSize).run(graph)),
};
/** Of each channel: x w + shift + sum. */
const channels = (g: GraphBuilder, x: Value, w: Value, ...more: (Value | undefined)[]): Value =>
  g.op(
    "Conv",
    [x, g.reshape(w, [32, 1, 1, 1]), ...more],
    x.shape,
    x.dtype,
    {
      ...{ group: 32, kernel_shape: [1, 1] },
    },
    nchwc,
  );

/** Constants, and what they leave unused dropped. */
const folding: Pass = {
  name: constants.name,
  run: (graph) => deadCode.run(constants.run(graph)),
};

const cases: readonly Case[] = [
  {
    title: "arithmetic on constants broadcasts",
    pass: folding,
    build: (g, x) => {
      const column = g.dense([1, 2, 4], [3, 1], "float32");
      const rows = g.dense([0.5, 3, -1, 7, 0.1, 9], [2, 3, 1], "float32");
      const both = g.unary("Sqrt", g.unary("Abs", g.div(g.sub(rows, g.uniform(3)), column)));
      return g.add(x, g.binary("Max", both, g.uniform(0.7)));
    },
    before: ["Sub", "Div", "Abs", "Sqrt", "Max", "Add"],
    after: ["Add"],
  },
  {
    title: "elements of constants move",
    pass: folding,
    build: (g, x) => {
      const table = g.dense([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [3, 4], "float32");
      const turned = g.reshape(g.transpose(g.reshape(table, [3, 2, 2]), [1, 2, 0]), [4, 3]);
      const picked = g.gather(turned, g.dense([2, -1, 0], [3], "int64"), 0); // [3, 3]
      const back = g.slice(picked, [2, 0], [0, 3], [-1, 2]); // [2, 2]
      const joined = g.concat([back, g.dense([50, 60], [2, 1], "float32")], 1); // [2, 3]
      return g.add(x, g.expand(g.reshape(joined, [2, 3, 1]), [2, 3, 1]));
    },
    before: [
      ...["Reshape", "Transpose", "Reshape", "Gather", "Slice", "Concat", "Reshape", "Expand"],
      "Add",
    ],
    after: ["Add"],
  },
  {
    title: "what is large, of another type, or rounded by taste is not folded",
    pass: folding,
    build: (g, x) => {
      const few = g.dense([1, 2, 3], [3, 1], "float32");
      const large = g.expand(few, [3, 2 ** 13]);
      const count = g.cast(
        g.add(g.dense([1, 2, 3], [3, 1], "int32"), g.uniform(1, [], "int32")),
        "float32",
      );
      const sum = g.add(g.reduce("ReduceSum", large, [1], "keep"), g.unary("Exp", few));
      return g.add(x, g.mul(sum, count));
    },
    before: ["Expand", "Add", "Cast", "ReduceSum", "Exp", "Add", "Mul", "Add"],
    after: ["Expand", "Add", "Cast", "ReduceSum", "Exp", "Add", "Mul", "Add"],
  },
  {
    title: "normalisation, ReLU and residual between two convolutions need no reordering",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x));
      const rows = g.reshape(h, [12, 32]);
      const normal = g.add(g.mul(g.sub(rows, row(g, 1)), row(g, 0.5)), row(g, 2));
      const sum = g.add(g.reshape(g.unary("Relu", normal), images), h);
      return fromBlocked(g, toBlocked(g, g.div(g.mul(sum, g.uniform(3)), g.uniform(4, [32]))));
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "Reshape", "Sub", "Mul", "Add", "Relu", "Reshape"],
      ...["Add", "Mul", "Div", "ReorderInput", "ReorderOutput"],
    ],
    after: [
      ...["ReorderInput", "Neg", "Conv", "Reshape", "Conv", "Conv", "Relu", "Add", "Mul"],
      ...["Reciprocal", "Reshape", "Conv", "ReorderOutput"],
    ],
  },
  {
    title: "an operand in the usual layout is reordered",
    pass: layout,
    shape: images,
    build: (g, x) => g.mul(g.unary("Abs", x), fromBlocked(g, toBlocked(g, x))),
    before: ["Abs", "ReorderInput", "ReorderOutput", "Mul"],
    after: ["Abs", "ReorderInput", "ReorderInput", "Mul", "ReorderOutput"],
  },
  {
    title: "sums over all positions run over the batch first",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const rows = g.reshape(fromBlocked(g, toBlocked(g, x)), [12, 32]);
      return g.gemm(g.uniform(0.5, [1, 12]), rows);
    },
    before: ["ReorderInput", "ReorderOutput", "Reshape", "Gemm"],
    after: ["ReorderInput", "Reshape", "Gemm", "Reshape", "ReduceSum", "Reshape"],
  },
  {
    title: "sums over all positions of a product are a convolution by the other factor",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x));
      const product = g.mul(h, g.unary("Relu", h));
      return g.gemm(g.uniform(0.5, [1, 12]), g.reshape(product, [12, 32]));
    },
    before: ["ReorderInput", "ReorderOutput", "Relu", "Mul", "Reshape", "Gemm"],
    after: ["ReorderInput", "Relu", "Reshape", "Reshape", "Conv", "Reshape", "Gemm"],
  },
  {
    title: "sums over all positions of a batch times a number stay sums",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const product = g.mul(fromBlocked(g, toBlocked(g, x)), g.uniform(3, []));
      return g.gemm(g.uniform(0.5, [1, 12]), g.reshape(product, [12, 32]));
    },
    before: ["ReorderInput", "ReorderOutput", "Mul", "Reshape", "Gemm"],
    after: ["ReorderInput", "Mul", "Reshape", "Gemm", "Reshape", "ReduceSum", "Reshape"],
  },
  {
    title: "the mean image is one, and goes on into a convolution",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const [n, h, w, c] = images;
      const rows = g.reshape(fromBlocked(g, toBlocked(g, x)), [n, h * w * c]);
      const mean = g.reshape(g.gemm(g.uniform(1 / n, [1, n]), rows), [1, h, w, c]);
      return fromBlocked(g, toBlocked(g, mean));
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "Reshape", "Gemm", "Reshape", "ReorderInput"],
      "ReorderOutput",
    ],
    after: ["ReorderInput", "Reshape", "Gemm", "Reshape", "ReorderOutput"],
  },
  {
    title: "the same elements under other axes are reordered anew",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const [n, h, w, c] = images;
      const other = g.reshape(fromBlocked(g, toBlocked(g, x)), [n, w, h, c]);
      return fromBlocked(g, toBlocked(g, other));
    },
    before: ["ReorderInput", "ReorderOutput", "Reshape", "ReorderInput", "ReorderOutput"],
    after: ["ReorderInput", "ReorderOutput", "Reshape", "ReorderInput", "ReorderOutput"],
  },
  {
    title: "other broadcasts, unequal weights of positions, and joined channels stay",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x));
      const byImage = g.slice(x, [0, 0, 0, 0], [2, 1, 1, 32]);
      const weights = Array.from({ length: 12 }, (_, i) => i);
      const sums = g.gemm(g.dense(weights, [1, 12], "float32"), g.reshape(h, [12, 32]));
      const joined = g.unary("Relu", g.reshape(h, [2, 3, 64]));
      return g.add(g.reshape(joined, images), g.add(g.mul(h, byImage), sums));
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "Slice", "Reshape", "Gemm", "Reshape", "Relu"],
      ...["Reshape", "Mul", "Add", "Add"],
    ],
    after: [
      ...["ReorderInput", "ReorderOutput", "Slice", "Reshape", "Gemm", "Reshape", "Relu"],
      ...["Reshape", "Mul", "Add", "Add"],
    ],
  },
  {
    title:
      "means and maxima over each image stay in blocks, also of channels that do not fill them",
    pass: layout,
    shape: [2, 4, 2, 20],
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x), 20);
      const means = g.reduce("ReduceMean", h, [1, 2], "drop");
      const maxima = g.reduce("ReduceMax", g.reshape(h, [2, 8, 20]), [1], "keep");
      return g.add(means, g.reshape(maxima, [2, 20]));
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "ReduceMean", "Reshape", "ReduceMax", "Reshape", "Add"],
    ],
    after: [
      ...["ReorderInput", "GlobalAveragePool", "Reshape", "Slice"],
      ...["GlobalMaxPool", "Reshape", "Slice", "Reshape", "Reshape", "Add"],
    ],
  },
  {
    title: "means over one axis or over images stay",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x));
      const rows = g.reduce("ReduceMean", h, [1], "keep");
      return g.add(rows, g.reduce("ReduceMax", g.reshape(h, [4, 3, 32]), [1], "keep"));
    },
    before: ["ReorderInput", "ReorderOutput", "ReduceMean", "Reshape", "ReduceMax", "Add"],
    after: ["ReorderInput", "ReorderOutput", "ReduceMean", "Reshape", "ReduceMax", "Add"],
  },
  {
    title: "transposes to and from channels first are reorderings",
    pass: layout,
    shape: [2, 3, 2, 20],
    build: (g, x) => {
      const first = g.transpose(fromBlocked(g, toBlocked(g, x), 20), [0, 3, 1, 2]);
      const last = g.transpose(g.unary("Sin", first), [0, 2, 3, 1]);
      return fromBlocked(g, toBlocked(g, last), 20);
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "Transpose", "Sin", "Transpose"],
      ...["ReorderInput", "ReorderOutput"],
    ],
    after: ["ReorderInput", "ReorderOutput", "Sin", "ReorderInput", "ReorderOutput"],
  },
  {
    title:
      "channels that do not fill blocks take scales, shifts and sums, but no quotient of two batches",
    pass: layout,
    shape: [2, 3, 2, 20],
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x), 20);
      const row = g.dense(
        Array.from({ length: 20 }, (_, i) => i - 3.5),
        [20],
        "float32",
      );
      const y = g.unary("Relu", g.add(g.div(g.mul(h, row), g.uniform(4, [20])), g.uniform(0.25)));
      const sums = g.gemm(g.uniform(1, [1, 12]), g.reshape(y, [12, 20]));
      return g.add(g.div(y, h), sums);
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "Mul", "Div", "Add", "Relu", "Reshape", "Gemm"],
      ...["Div", "Add"],
    ],
    after: [
      ...["ReorderInput", "ReorderOutput", "Pad", "Reshape", "Conv", "Reciprocal", "Pad"],
      ...["Reshape", "Conv", "Add", "Relu", "ReorderOutput", "Reshape", "Gemm"],
      ...["Reshape", "ReduceSum", "Reshape", "Slice", "Div", "Add"],
    ],
  },
  {
    title: "an operand with channels first is reordered as it is",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x));
      const first = g.unary("Abs", g.transpose(x, [0, 3, 1, 2]));
      return g.mul(h, g.transpose(first, [0, 2, 3, 1]));
    },
    before: ["ReorderInput", "ReorderOutput", "Transpose", "Abs", "Transpose", "Mul"],
    after: ["ReorderInput", "Transpose", "Abs", "ReorderInput", "Mul", "ReorderOutput"],
  },
  {
    title: "channels split and joined by whole blocks",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const halves = g.split(fromBlocked(g, toBlocked(g, x)), [16, 16], 3);
      const [a, b] = halves.map((half) => fromBlocked(g, toBlocked(g, half))) as [Value, Value];
      return fromBlocked(g, toBlocked(g, g.concat([b, g.unary("Relu", a)], 3)));
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "Split", "ReorderInput", "ReorderOutput"],
      ...["ReorderInput", "ReorderOutput", "Relu", "Concat", "ReorderInput", "ReorderOutput"],
    ],
    after: ["ReorderInput", "Slice", "Slice", "Relu", "Concat", "ReorderOutput"],
  },
  {
    title: "channels that do not fill blocks are split and joined outside",
    pass: layout,
    shape: images,
    build: (g, x) => {
      const parts = g.split(fromBlocked(g, toBlocked(g, x)), [20, 12], 3);
      const [a, b] = parts.map((part) => fromBlocked(g, toBlocked(g, part), part.shape[3])) as [
        Value,
        Value,
      ];
      return fromBlocked(g, toBlocked(g, g.concat([b, a], 3)));
    },
    before: [
      ...["ReorderInput", "ReorderOutput", "Split", "ReorderInput", "ReorderOutput"],
      ...["ReorderInput", "ReorderOutput", "Concat", "ReorderInput", "ReorderOutput"],
    ],
    after: [
      ...["ReorderInput", "ReorderOutput", "Split", "ReorderInput", "ReorderOutput"],
      ...["ReorderInput", "ReorderOutput", "Concat", "ReorderInput", "ReorderOutput"],
    ],
  },
  {
    title: "a root of channels that do not fill blocks is taken outside",
    pass: layout,
    shape: [2, 3, 2, 20],
    build: (g, x) => {
      const h = fromBlocked(g, toBlocked(g, x), 20);
      return g.unary("Sqrt", g.unary("Abs", g.sub(h, g.uniform(1))));
    },
    before: ["ReorderInput", "ReorderOutput", "Sub", "Abs", "Sqrt"],
    after: ["ReorderInput", "Sub", "Abs", "ReorderOutput", "Sqrt"],
  },
  {
    title: "scale, shift, residual and ReLU become one pass",
    pass: fusedChannels,
    shape: images,
    build: (g, x) => {
      const b = toBlocked(g, x);
      const shifted = channels(g, channels(g, b, row(g, 0.5)), g.uniform(1, [32]), row(g, 2));
      const sum = g.sub(g.unary("Relu", g.add(shifted, b)), channels(g, b, row(g, 1), row(g, 2)));
      return fromBlocked(g, sum);
    },
    before: [
      ...["ReorderInput", "Reshape", "Conv", "Reshape", "Conv", "Add", "Relu"],
      ...["Reshape", "Conv", "Sub", "ReorderOutput"],
    ],
    after: [
      ...["ReorderInput", "Reshape", "Conv", "Reshape", "Conv", "Conv", "Conv"],
      ...["Reshape", "Conv", "Neg", "Neg", "Conv", "ReorderOutput"],
    ],
  },
  {
    title: "what is needed in between stays apart",
    pass: fusedChannels,
    shape: images,
    build: (g, x) => {
      const b = toBlocked(g, x);
      const scaled = channels(g, b, row(g, 0.5));
      const shifted = channels(g, scaled, g.uniform(1, [32]), row(g, 2));
      const twice = channels(g, scaled, row(g, 1), row(g, 2));
      const rectified = g.unary("Relu", shifted);
      return fromBlocked(g, g.mul(g.mul(rectified, shifted), twice));
    },
    before: [
      ...["ReorderInput", "Reshape", "Conv", "Reshape", "Conv", "Reshape", "Conv", "Relu"],
      ...["Mul", "Mul", "ReorderOutput"],
    ],
    after: [
      ...["ReorderInput", "Reshape", "Conv", "Reshape", "Conv", "Reshape", "Conv", "Relu"],
      ...["Mul", "Mul", "ReorderOutput"],
    ],
  },
  {
    title: "what no output needs is dropped",
    pass: deadCode,
    build: (g, x) => {
      g.unary("Sin", x);
      return g.unary("Cos", x);
    },
    before: ["Sin", "Cos"],
    after: ["Cos"],
  },
  {
    title: "an operation with one needed result of two is kept",
    pass: deadCode,
    build: (g, x) => g.split(x, [1, 1], 0)[1]!,
    before: ["Split"],
    after: ["Split"],
  },
  {
    title: "the same operation on the same operands runs once, the same literals included",
    pass: commonSubexpressions,
    build: (g, x) =>
      g.add(g.mul(g.unary("Sin", x), g.uniform(2)), g.mul(g.unary("Sin", x), g.uniform(2))),
    before: ["Sin", "Mul", "Sin", "Mul", "Add"],
    after: ["Sin", "Mul", "Add"],
  },
  {
    title: "operations that differ in an attribute, a literal or the order of operands stay apart",
    pass: commonSubexpressions,
    build: (g, x) => {
      const a = g.transpose(x, [0, 2, 1]);
      const b = g.transpose(x, [2, 0, 1]);
      const difference = g.sub(g.sub(x, g.uniform(2)), g.sub(g.uniform(2), x));
      return g.add(g.reshape(g.add(a, g.transpose(b, [1, 0, 2])), x.shape), difference);
    },
    before: ["Transpose", "Transpose", "Sub", "Sub", "Sub", "Transpose", "Add", "Reshape", "Add"],
    after: ["Transpose", "Transpose", "Sub", "Sub", "Sub", "Transpose", "Add", "Reshape", "Add"],
  },
  {
    title: "reshapes in a row become one, and none where the shape comes back",
    pass: identities,
    build: (g, x) => g.unary("Sin", g.reshape(g.reshape(g.reshape(x, [6]), [3, 2]), [2, 3, 1])),
    before: ["Reshape", "Reshape", "Reshape", "Sin"],
    after: ["Reshape", "Reshape", "Sin"],
  },
  {
    title: "a transpose and its inverse vanish",
    pass: identities,
    build: (g, x) => {
      const wide = g.expand(x, [2, 3, 4]);
      return g.transpose(g.transpose(wide, [2, 0, 1]), [1, 2, 0]);
    },
    before: ["Expand", "Transpose", "Transpose"],
    after: ["Expand", "Transpose"],
  },
  {
    title: "a transpose that moves only axes of length 1 becomes a reshape",
    pass: identities,
    build: (g, x) => g.transpose(x, [2, 0, 1]),
    before: ["Transpose"],
    after: ["Reshape"],
  },
  {
    title: "a transpose that moves elements stays",
    pass: identities,
    build: (g, x) => g.transpose(x, [1, 0, 2]),
    before: ["Transpose"],
    after: ["Transpose"],
  },
  {
    title: "a reduction over axes of length 1 becomes a reshape",
    pass: identities,
    build: (g, x) => g.reduce("ReduceMean", x, [2], "drop"),
    before: ["ReduceMean"],
    after: ["Reshape"],
  },
  {
    title: "a slice of everything vanishes, one that reverses stays",
    pass: identities,
    build: (g, x) => g.slice(g.slice(x, [0, 0, 0], [2, 3, 1]), [1, 0, 0], [-1, 3, 1], [-1, 1, 1]),
    before: ["Slice", "Slice"],
    after: ["Slice"],
  },
  {
    title: "all parts of a split, joined in order, are the whole; in another order they stay",
    pass: identities,
    build: (g, x) => {
      const [a, b] = g.split(x, [1, 2], 1) as [Value, Value];
      const parts = g.split(g.concat([a, b], 1), [2, 1], 1) as [Value, Value];
      return g.concat([parts[1], parts[0]], 1);
    },
    before: ["Split", "Concat", "Split", "Concat"],
    after: ["Split", "Split", "Concat"],
  },
  {
    title: "arithmetic on uniform constants is done once",
    pass: constants,
    build: (g, x) => {
      const half = g.div(g.expand(g.uniform(1), [2, 3, 1]), g.uniform(2, [2, 3, 1]));
      return g.mul(x, g.unary("Sqrt", g.reshape(half, [2, 3, 1])));
    },
    before: ["Expand", "Div", "Reshape", "Sqrt", "Mul"],
    after: ["Mul"],
  },
  {
    title: "times 1 and plus 0 vanish, and leave a broadcast where they were one",
    pass: constants,
    build: (g, x) => g.mul(g.add(g.div(x, g.uniform(1)), g.uniform(0)), g.uniform(1, [2, 3, 4])),
    before: ["Div", "Add", "Mul"],
    after: ["Expand"],
  },
  {
    title: "0 - x and 1 / x are not x",
    pass: constants,
    build: (g, x) => g.div(g.uniform(1), g.sub(g.uniform(0), x)),
    before: ["Sub", "Div"],
    after: ["Sub", "Div"],
  },
  {
    title: "a bias row and a residual go into their products",
    pass: gemmBias,
    build: (g, x) => {
      const rows = g.reshape(x, [2, 3]);
      const square = g.gemm(rows, rows, 1, 0);
      const row = g.dense([1, 2, 3], [3], "float32");
      return g.add(g.gemm(square, square), g.add(row, square));
    },
    before: ["Reshape", "Gemm", "Gemm", "Add", "Add"],
    after: ["Reshape", "Gemm", "Gemm", "Add", "Gemm"],
  },
  {
    title: "a product that is needed bare, or grows by what is added, stays",
    pass: gemmBias,
    build: (g, x) => {
      const rows = g.reshape(x, [2, 3]);
      const row = g.gemm(g.dense([1, 3], [1, 2], "float32"), rows);
      const bare = g.gemm(row, rows, 0, 1);
      return g.reshape(g.mul(g.add(bare, g.uniform(1)), g.add(bare, g.gemm(rows, row, 0, 1))), [4]);
    },
    before: ["Reshape", "Gemm", "Gemm", "Add", "Gemm", "Add", "Mul", "Reshape"],
    after: ["Reshape", "Gemm", "Gemm", "Add", "Gemm", "Add", "Mul", "Reshape"],
  },
  {
    title: "a large product and its bias stay apart",
    pass: gemmBias,
    shape: [363, 2],
    build: (g, x) => {
      const y = g.add(g.gemm(x, x, 0, 1), g.dense(Array(363).fill(3), [363], "float32"));
      return g.slice(y, [0, 0], [2, 363]);
    },
    before: ["Gemm", "Add", "Slice"],
    after: ["Gemm", "Add", "Slice"],
  },
  {
    title: "rows that change places are gathered",
    pass: gatheredRows,
    shape: [4, 8, 128, 16],
    build: (g, x) => g.slice(g.transpose(x, [0, 2, 1, 3]), [1, 3, 0, 0], [3, 5, 8, 16]),
    before: ["Transpose", "Slice"],
    after: ["Reshape", "Gather", "Reshape", "Slice"],
  },
  {
    title: "rows that change places over three axes are gathered",
    pass: gatheredRows,
    shape: [4, 8, 128, 16],
    build: (g, x) => g.slice(g.transpose(x, [2, 0, 1, 3]), [3, 1, 0, 0], [5, 3, 8, 16]),
    before: ["Transpose", "Slice"],
    after: ["Reshape", "Gather", "Reshape", "Slice"],
  },
  {
    title: "very many rows are gathered by places that are the sum of two lists",
    pass: gatheredRows,
    shape: [128, 8, 160, 16],
    build: (g, x) => g.slice(g.transpose(x, [2, 0, 1, 3]), [3, 70, 0, 0], [5, 72, 8, 16]),
    before: ["Transpose", "Slice"],
    after: ["Reshape", "Reshape", "Add", "Reshape", "Gather", "Reshape", "Slice"],
  },
  {
    title:
      "short rows, elements within rows and what a product can read as it lies stay transposed",
    pass: gatheredRows,
    shape: [16, 64, 8, 16],
    build: (g, x) => {
      const parts = [
        g.transpose(g.reshape(x, [64, 128, 16]), [0, 2, 1]),
        g.transpose(x, [1, 2, 0, 3]),
        g.transpose(g.reshape(x, [64, 256, 8]), [1, 0, 2]),
      ];
      const firsts = parts.map((part) =>
        g.slice(
          part,
          part.shape.map(() => 0),
          part.shape.map(() => 2),
        ),
      );
      return g.concat(
        firsts.map((first) => g.reshape(first, [first.shape.reduce((a, b) => a * b)])),
        0,
      );
    },
    before: [
      ...["Reshape", "Transpose", "Transpose", "Reshape", "Transpose"],
      ...["Slice", "Slice", "Slice", "Reshape", "Reshape", "Reshape", "Concat"],
    ],
    after: [
      ...["Reshape", "Transpose", "Transpose", "Reshape", "Transpose"],
      ...["Slice", "Slice", "Slice", "Reshape", "Reshape", "Reshape", "Concat"],
    ],
  },
  {
    title: "arithmetic on an expanded operand runs before the expanding, or without it",
    pass: lateBroadcasts,
    build: (g, x) => {
      const wide = g.expand(x, [2, 3, 4]);
      return g.add(g.mul(wide, g.uniform(2, [2, 3, 4])), g.expand(g.unary("Sin", x), [2, 3, 4]));
    },
    before: ["Expand", "Mul", "Sin", "Expand", "Add"],
    after: ["Expand", "Mul", "Expand", "Sin", "Expand", "Add", "Expand"],
  },
  {
    title: "an operation that changes the shape itself keeps its expanded operand",
    pass: lateBroadcasts,
    build: (g, x) => g.reduce("ReduceSum", g.expand(x, [2, 3, 4]), [2], "drop"),
    before: ["Expand", "ReduceSum"],
    after: ["Expand", "ReduceSum"],
  },
  {
    title: "a row is repeated for long rows, whichever operand it is",
    pass: wideBroadcasts,
    shape: [700, 100],
    build: (g, x) => {
      const row = g.reshape(g.slice(x, [0, 0], [1, 100]), [100]);
      return g.sub(row, g.mul(x, row));
    },
    before: ["Slice", "Reshape", "Mul", "Sub"],
    after: [
      ...["Slice", "Reshape", "Reshape", "Reshape", "Expand", "Reshape", "Mul", "Reshape"],
      ...["Reshape", "Expand", "Reshape", "Reshape", "Sub", "Reshape"],
    ],
  },
  {
    title: "long rows, columns, indivisible rows and small operands stay",
    pass: wideBroadcasts,
    shape: [809, 100],
    build: (g, x) => {
      const prime = g.mul(x, g.slice(x, [0, 0], [1, 100]));
      const column = g.sub(prime, g.slice(x, [0, 0], [809, 1]));
      const small = g.slice(column, [0, 0], [400, 100]);
      const long = g.reshape(g.slice(column, [0, 0], [800, 100]), [80, 1000]);
      const sum = g.add(long, g.slice(long, [0, 0], [1, 1000]));
      return g.add(
        g.reshape(g.slice(sum, [0, 0], [40, 1000]), [400, 100]),
        g.add(small, g.slice(x, [1, 0], [2, 100])),
      );
    },
    before: [
      ...["Slice", "Mul", "Slice", "Sub", "Slice", "Slice", "Reshape", "Slice", "Add"],
      ...["Slice", "Reshape", "Slice", "Add", "Add"],
    ],
    after: [
      ...["Slice", "Mul", "Slice", "Sub", "Slice", "Slice", "Reshape", "Slice", "Add"],
      ...["Slice", "Reshape", "Slice", "Add", "Add"],
    ],
  },
];

describe("passes", () => {
  test.each(cases)("$pass.name: $title", async ({ pass, build, shape, before, after }) => {
    const graph = graphOf(build, shape);
    expect(ops(graph)).toEqual(before);
    const passed = runPasses(graph, [pass]);
    expect(ops(passed)).toEqual(after);
    const wanted = await evaluate(graph);
    expect(await evaluate(passed)).toEqual(wanted);
    expect(new Set(wanted).size).toBeGreaterThan(1);
  });
});

/** y = step(x) relu(x + shift) of tfjs kernels, with x saved in between. */
function captured(alpha: number, shift: "no shift" | "shifted"): Graph {
  const [x, saved, moved, relu, mask, y] = Array.from({ length: 6 }, () =>
    newValue([4], "float32"),
  ) as [Value, Value, Value, Value, Value, Value];
  const node = (op: string, inputs: Value[], output: Value, attributes = {}) => ({
    ...{ op, domain: "", inputs, outputs: [output], attributes },
    inputNames: inputs.length === 2 ? ["a", "b"] : ["x"],
  });
  return {
    stage: "captured",
    inputs: [{ name: "x", value: x }],
    outputs: [{ name: "y", value: y }],
    literals: new Map(),
    nodes: [
      node("Identity", [x], saved),
      node("Add", [x, x], moved),
      node("Relu", [shift === "shifted" ? moved : x], relu),
      node("Step", [saved], mask, { alpha }),
      node("Multiply", [relu, mask], y),
    ],
  };
}

describe("masks from results", () => {
  const maskOf = (graph: Graph) => {
    const { nodes } = runPasses(graph, [masksFromResults]);
    const [before] = nodes[3]!.inputs as [Value];
    return nodes.find(({ outputs }) => outputs.includes(before))!.op;
  };
  test("step(x) beside relu(x) becomes step(relu(x))", async () => {
    const graph = captured(0, "no shift");
    expect(maskOf(graph)).toBe("Relu");
    const lowered = (each: Graph) => evaluate(lower(each, onnxTarget));
    const wanted = await lowered(graph);
    expect(wanted).toEqual([0, 0, 0, 0.5]);
    expect(await lowered(runPasses(graph, [masksFromResults]))).toEqual(wanted);
  });
  test("a step that is not 0 below 0, or of another value, stays", () => {
    expect(maskOf(captured(0.5, "no shift"))).toBe("Identity");
    expect(maskOf(captured(0, "shifted"))).toBe("Identity");
  });
});

const wrongs: readonly { title: string; run: Pass["run"]; says: RegExp }[] = [
  {
    title: "drops a node that is needed",
    run: (graph) => ({ ...graph, nodes: graph.nodes.slice(1) }),
    says: /uses value \d+ before it is made/,
  },
  {
    title: "puts nodes into another order",
    run: (graph) => ({ ...graph, nodes: [...graph.nodes].reverse() }),
    says: /before it is made/,
  },
  {
    title: "makes a value twice",
    run: (graph) => ({ ...graph, nodes: [...graph.nodes, graph.nodes[0]!] }),
    says: /made twice/,
  },
  {
    title: "loses an output",
    run: (graph) => ({ ...graph, nodes: graph.nodes.slice(0, -1) }),
    says: /output "y" is never made/,
  },
  {
    title: "cuts a literal short",
    run: (graph) => ({
      ...graph,
      literals: new Map([...graph.literals].map(([value]) => [value, { dense: [] }])),
    }),
    says: /literal of shape/,
  },
  {
    title: "changes the stage",
    run: (graph) => ({ ...graph, stage: "captured" }),
    says: /after.*wrong|wrong/i,
  },
  {
    title: "names two ports alike",
    run: (graph) => ({ ...graph, outputs: [...graph.outputs, ...graph.outputs] }),
    says: /twice/,
  },
];

test.each(wrongs)("a pass that $title is noticed and named", ({ run, says }) => {
  const graph = graphOf((g, x) => g.unary("Cos", g.mul(x, g.dense([1, 2, 3], [3, 1], "float32"))));
  verify(graph, "lowered", "nothing");
  const broken = { name: "a broken pass", run };
  const attempt = (): unknown => {
    const after = broken.run(graph);
    return verify(after, "lowered", broken.name);
  };
  expect(attempt).toThrow(says);
  expect(attempt).toThrow(/a broken pass/);
});

test("a rule that changes a shape or a type is refused", () => {
  const graph = graphOf((g, x) => g.reduce("ReduceSum", x, [0], "drop"));
  expect(() => rewriteNodes(graph, ({ inputs }) => inputs[0])).toThrow(/cannot become/);
});
