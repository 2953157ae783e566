/** Derivative rules for the kernels that our step functions are made of.
 *
 *  tfjs-core's tape asks a registry for the gradient of each kernel, and its Node entry fills in none: they live in a
 *  module that Node cannot import (its relative imports have no extension), and the packages that bundle it are the
 *  large unions `@tensorflow/tfjs` and `@tensorflow/tfjs-layers`. So the rules that are needed are written here, and
 *  registered where the registry has none; with one of the unions loaded, theirs stay, but for those that are wrong
 *  (`wrongInTfjs`).
 *  A rule maps dy, the gradient of the loss with respect to the kernel's output, to a gradient for each input. */
import * as tf from "@tensorflow/tfjs-core";
import { columnSums } from "./column-sums.js";
import { depthwiseFilterGradient, depthwiseInputGradient } from "./depthwise-gradients.js";
import { LejepaError } from "./lejepa-error.js";
import { sizeOf } from "./shape.js";
import { averageShares, surrounded, type WindowGeometry } from "./window-taps.js";

type Attributes = Readonly<Record<string, unknown>>;

/** Which tensors a rule reads, and the rule. Gradients are thunks: tfjs runs those it needs. */
interface GradientRule {
  readonly saves?: readonly string[];
  readonly savesOutput?: true;
  readonly savesAllInputs?: true;
  readonly gradient: (
    dy: tf.Tensor,
    saved: readonly tf.Tensor[],
    attributes: Attributes,
  ) => Record<string, () => tf.Tensor>;
}

/** Kernels whose rules of tfjs 4.22 fail, or are not the derivative of what the kernel computes: they forget the sum over
 *  broadcast axes (Maximum, Minimum, SquaredDifference), dimRoundingMode (the pooling), dilations (depthwise
 *  convolutions), the order of the axes (Cumsum), batch axes from the end (GatherV2), what is mirrored (MirrorPad), that a
 *  floor is flat (FloorDiv), or give all of dy to each of several extrema (Max, Min). */
const wrongInTfjs = new Set([
  ...["AvgPool", "Cumsum", "DepthwiseConv2dNative", "FloorDiv", "GatherV2", "Max", "MaxPool"],
  ...["Maximum", "Min", "Minimum", "MirrorPad", "SquaredDifference"],
]);

/** The rules of this module, as tfjs holds them. */
const registered = new Set<unknown>();

/** Gives tfjs-core, which registers no gradient in Node, the gradients of what step functions are made of: of every kernel
 *  that has none yet, and of those for which `@tensorflow/tfjs` or `@tensorflow/tfjs-layers` has registered one that is
 *  wrong. Importing this package calls it; after a later import of one of those, call it again, as
 *  `@lejepa/engine` does whenever it compiles. */
export function registerTfjsGradients(): void {
  for (const [kernelName, rule] of Object.entries(gradientRules)) {
    const present = tf.getGradient(kernelName) as tf.GradConfig | undefined;
    if (present != null) {
      if (registered.has(present) || !wrongInTfjs.has(kernelName)) {
        continue;
      }
      tf.unregisterGradient(kernelName);
    }
    const config: tf.GradConfig = {
      kernelName,
      inputsToSave: [...(rule.saves ?? [])],
      outputsToSave: rule.savesOutput === true ? [true] : [],
      saveAllInputs: rule.savesAllInputs === true,
      gradFunc: (dy, saved, attributes) =>
        // SplitV and Unpack have a list for dy, unless they have a single output; their rules know.
        rule.gradient(dy as tf.Tensor, saved, attributes),
    };
    registered.add(config);
    tf.registerGradient(config);
  }
}

/** y = f(x): dx from dy and x. */
const fromInput = (derivative: (dy: tf.Tensor, x: tf.Tensor) => tf.Tensor): GradientRule => ({
  saves: ["x"],
  gradient: (dy, [x]) => ({ x: () => derivative(dy, x as tf.Tensor) }),
});

/** y = f(x): dx from dy and y, where y spares a pass. */
const fromOutput = (derivative: (dy: tf.Tensor, y: tf.Tensor) => tf.Tensor): GradientRule => ({
  savesOutput: true,
  gradient: (dy, [y]) => ({ x: () => derivative(dy, y as tf.Tensor) }),
});

/** y = f(a, b) elementwise with broadcasting: da and db before the broadcast axes are summed. */
const binary = (
  da: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  db: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
): GradientRule => ({
  saves: ["a", "b"],
  gradient: (dy, saved) => {
    const [a, b] = saved as [tf.Tensor, tf.Tensor];
    return {
      a: () => sumTo(da(dy, a, b), a.shape),
      b: () => sumTo(db(dy, a, b), b.shape),
    };
  },
});

/** Constant almost everywhere. */
const flat: GradientRule = fromInput((dy) => tf.zerosLike(dy));

/** max or min over axes: the positions that attain it share dy evenly, which is a subgradient where they are several. */
const extremum: GradientRule = {
  saves: ["x"],
  savesOutput: true,
  gradient: (dy, saved, { axis, reductionIndices }) => {
    const [x, y] = saved as [tf.Tensor, tf.Tensor];
    const kept = keptShape(x.shape, axis ?? reductionIndices); // Min's and Max's name for it
    return {
      x: () => {
        const attains = mask(tf.equal(x, tf.reshape(y, kept)));
        const axes = kept.flatMap((length, i) => (length === x.shape[i] ? [] : [i]));
        const count = tf.sum(attains, axes, true);
        // None where the extremum is NaN.
        return tf.mul(attains, tf.div(tf.reshape(dy, kept), tf.maximum(count, 1)));
      },
    };
  },
};

/** The rules by kernel name. */
export const gradientRules: Readonly<Record<string, GradientRule>> = {
  // Elementwise, two inputs
  Add: binary(
    (dy) => dy,
    (dy) => dy,
  ),
  Sub: binary(
    (dy) => dy,
    (dy) => tf.neg(dy),
  ),
  Multiply: binary(
    (dy, _a, b) => tf.mul(dy, b),
    (dy, a) => tf.mul(dy, a),
  ),
  RealDiv: binary(
    (dy, _a, b) => tf.div(dy, b),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, a), tf.square(b))),
  ),
  Maximum: binary(
    (dy, a, b) => tf.mul(dy, mask(tf.greaterEqual(a, b))),
    (dy, a, b) => tf.mul(dy, mask(tf.less(a, b))),
  ),
  Minimum: binary(
    (dy, a, b) => tf.mul(dy, mask(tf.lessEqual(a, b))),
    (dy, a, b) => tf.mul(dy, mask(tf.greater(a, b))),
  ),
  SquaredDifference: binary(
    (dy, a, b) => tf.mul(dy, tf.mul(tf.sub(a, b), 2)),
    (dy, a, b) => tf.mul(dy, tf.mul(tf.sub(b, a), 2)),
  ),
  FloorDiv: binary(
    (dy) => tf.zerosLike(dy),
    (dy) => tf.zerosLike(dy),
  ),
  Pow: binary(
    (dy, a, b) => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, 1)))),
    // a^b log a, which tends to 0 with a; a negative base has no derivative towards its exponent.
    (dy, a, b) =>
      tf.mul(dy, tf.mul(tf.pow(a, b), tf.where(tf.greater(a, 0), tf.log(a), tf.zerosLike(a)))),
  ),
  AddN: {
    savesAllInputs: true,
    gradient: (dy, terms) => byIndex(terms.map(() => () => tf.clone(dy))),
  },

  // Elementwise, one input
  Abs: fromInput((dy, x) => tf.mul(dy, tf.sign(x))),
  Ceil: flat,
  ClipByValue: {
    saves: ["x"],
    gradient: (dy, saved, { clipValueMin, clipValueMax }) => {
      const x = saved[0] as tf.Tensor;
      const inside = () =>
        tf.logicalAnd(
          tf.greaterEqual(x, clipValueMin as number),
          tf.lessEqual(x, clipValueMax as number),
        );
      return { x: () => tf.mul(dy, mask(inside())) };
    },
  },
  Cos: fromInput((dy, x) => tf.neg(tf.mul(dy, tf.sin(x)))),
  Erf: fromInput((dy, x) =>
    tf.mul(dy, tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI))),
  ),
  Exp: fromOutput((dy, y) => tf.mul(dy, y)),
  Expm1: fromOutput((dy, y) => tf.mul(dy, tf.add(y, 1))),
  Floor: flat,
  LeakyRelu: {
    saves: ["x"],
    gradient: (dy, saved, { alpha }) => {
      const x = saved[0] as tf.Tensor;
      return { x: () => tf.where(tf.greater(x, 0), dy, tf.mul(dy, alpha as number)) };
    },
  },
  Log: fromInput((dy, x) => tf.div(dy, x)),
  Log1p: fromInput((dy, x) => tf.div(dy, tf.add(x, 1))),
  Neg: { gradient: (dy) => ({ x: () => tf.neg(dy) }) },
  Reciprocal: fromOutput((dy, y) => tf.neg(tf.mul(dy, tf.square(y)))),
  Relu: fromOutput((dy, y) => tf.mul(dy, tf.step(y))),
  Relu6: fromInput((dy, x) => tf.mul(dy, tf.mul(tf.step(x), mask(tf.lessEqual(x, 6))))),
  Round: flat,
  Rsqrt: fromOutput((dy, y) => tf.mul(dy, tf.mul(tf.mul(tf.square(y), y), -0.5))),
  Sigmoid: fromOutput((dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
  Sign: flat,
  Sin: fromInput((dy, x) => tf.mul(dy, tf.cos(x))),
  Softplus: fromInput((dy, x) => tf.mul(dy, tf.sigmoid(x))),
  Sqrt: fromOutput((dy, y) => tf.div(dy, tf.mul(y, 2))),
  Square: fromInput((dy, x) => tf.mul(dy, tf.mul(x, 2))),
  Step: flat,
  Tanh: fromOutput((dy, y) => tf.mul(dy, tf.sub(1, tf.square(y)))),
  Select: {
    saves: ["condition"],
    gradient: (dy, saved) => {
      const condition = saved[0] as tf.Tensor;
      return {
        condition: () => tf.zerosLike(mask(condition)), // as tfjs has it: constant almost everywhere
        t: () => tf.mul(dy, mask(condition)),
        e: () => tf.mul(dy, mask(tf.logicalNot(condition))),
      };
    },
  },

  // Type and shape
  Cast: { gradient: (dy) => ({ x: () => tf.clone(dy) }) },
  Identity: { gradient: (dy) => ({ x: () => tf.clone(dy) }) },
  OnesLike: flat,
  ZerosLike: flat,
  Reshape: fromInput((dy, x) => tf.reshape(dy, x.shape)),
  ExpandDims: {
    saves: ["input"],
    gradient: (dy, [x]) => ({ input: () => tf.reshape(dy, (x as tf.Tensor).shape) }),
  },
  Transpose: {
    gradient: (dy, _saved, { perm }) => {
      const inverse: number[] = [];
      (perm as number[]).forEach((from, to) => (inverse[from] = to));
      return { x: () => tf.transpose(dy, inverse) };
    },
  },
  Reverse: { gradient: (dy, _saved, { dims }) => ({ x: () => tf.reverse(dy, dims as number[]) }) },
  PadV2: {
    saves: ["x"],
    gradient: (dy, saved, { paddings }) => ({
      x: () =>
        tf.slice(
          dy,
          (paddings as [number, number][]).map(([before]) => before),
          (saved[0] as tf.Tensor).shape,
        ),
    }),
  },
  MirrorPad: {
    saves: ["x"],
    gradient: (dy, saved, { paddings, mode }) => ({
      x: () =>
        (saved[0] as tf.Tensor).shape.reduce(
          (g, length, axis) =>
            foldBack(
              g,
              axis,
              length,
              (paddings as [number, number][])[axis] as [number, number],
              mode === "reflect" ? 1 : 0,
            ),
          dy,
        ),
    }),
  },
  Slice: {
    saves: ["x"],
    gradient: (dy, saved, { begin }) => {
      const x = saved[0] as tf.Tensor;
      const first = typeof begin === "number" ? [begin] : (begin as number[]);
      const paddings = x.shape.map((length, axis): [number, number] => {
        const before = first[axis] ?? 0;
        return [before, length - before - (dy.shape[axis] as number)];
      });
      return { x: () => tf.pad(dy, paddings) };
    },
  },
  Tile: {
    saves: ["x"],
    gradient: (dy, saved, { reps }) => {
      const { shape } = saved[0] as tf.Tensor;
      const apart = shape.flatMap((length, axis) => [(reps as number[])[axis] as number, length]);
      const copies = shape.map((_, axis) => 2 * axis);
      return { x: () => tf.sum(tf.reshape(dy, apart), copies) };
    },
  },
  Concat: {
    savesAllInputs: true,
    gradient: (dy, parts, { axis }) => {
      const along = (axis as number) < 0 ? (axis as number) + dy.shape.length : (axis as number);
      const lengths = parts.map((part) => part.shape[along] as number);
      return byIndex(tf.split(dy, lengths, along).map((part) => () => part));
    },
  },
  SplitV: {
    gradient: (dy, _saved, { axis }) => ({
      x: () => tf.concat([dy].flat(), axis as number),
    }),
  },
  Pack: {
    savesAllInputs: true,
    gradient: (dy, _parts, { axis }) =>
      byIndex(tf.unstack(dy, axis as number).map((part) => () => part)),
  },
  Unpack: {
    gradient: (dy, _saved, { axis }) => ({
      value: () => tf.stack([dy].flat(), axis as number),
    }),
  },
  GatherV2: {
    saves: ["x", "indices"],
    gradient: (dy, saved, { axis, batchDims }) => {
      const [x, indices] = saved as [tf.Tensor, tf.Tensor];
      const at = axis as number;
      const batch = (batchDims as number | undefined) ?? 0;
      return {
        x: () =>
          scatterSum(
            dy,
            indices,
            x.shape,
            at < 0 ? at + x.shape.length : at,
            batch < 0 ? batch + indices.shape.length : batch,
          ),
      };
    },
  },

  // Reductions
  Sum: {
    saves: ["x"],
    gradient: (dy, saved, { axis }) => {
      const { shape } = saved[0] as tf.Tensor;
      return { x: () => tf.broadcastTo(tf.reshape(dy, keptShape(shape, axis)), shape) };
    },
  },
  Mean: {
    saves: ["x"],
    gradient: (dy, saved, { axis }) => {
      const { shape } = saved[0] as tf.Tensor;
      const kept = keptShape(shape, axis);
      const share = sizeOf(kept) / sizeOf(shape);
      return { x: () => tf.broadcastTo(tf.reshape(tf.mul(dy, share), kept), shape) };
    },
  },
  Max: extremum,
  Min: extremum,
  Cumsum: {
    gradient: (dy, _saved, { axis, exclusive, reverse }) => ({
      x: () => tf.cumsum(dy, axis as number, exclusive as boolean, !(reverse as boolean)),
    }),
  },
  Softmax: {
    savesOutput: true,
    gradient: (dy, saved, { dim }) => {
      const y = saved[0] as tf.Tensor;
      return { logits: () => tf.mul(y, tf.sub(dy, tf.sum(tf.mul(dy, y), dim as number, true))) };
    },
  },

  // Products, convolutions, pooling
  BatchMatMul: {
    saves: ["a", "b"],
    gradient: (dy, saved, { transposeA, transposeB }) => {
      const [a, b] = saved as [tf.Tensor, tf.Tensor];
      const [ta, tb] = [transposeA as boolean, transposeB as boolean];
      return {
        a: () => sumTo(ta ? tf.matMul(b, dy, tb, true) : tf.matMul(dy, b, false, !tb), a.shape),
        b: () => sumTo(tb ? tf.matMul(dy, a, true, ta) : tf.matMul(a, dy, !ta, false), b.shape),
      };
    },
  },
  Conv2D: {
    saves: ["x", "filter"],
    gradient: (dy, saved, attributes) => {
      const [x, filter] = saved as [tf.Tensor4D, tf.Tensor4D];
      const geometry = convolutionAttributes(attributes);
      return {
        x: () => run("Conv2DBackpropInput", { dy, filter }, { ...geometry, inputShape: x.shape }),
        filter: () =>
          run("Conv2DBackpropFilter", { x, dy }, { ...geometry, filterShape: filter.shape }),
      };
    },
  },
  Conv2DBackpropInput: {
    saves: ["dy", "filter"],
    gradient: (ddx, saved, attributes) => {
      const [dy, filter] = saved as [tf.Tensor4D, tf.Tensor4D];
      const geometry = convolutionAttributes(attributes);
      return {
        dy: () => run("Conv2D", { x: ddx, filter }, { ...geometry, dilations: 1 }),
        filter: () =>
          run("Conv2DBackpropFilter", { x: ddx, dy }, { ...geometry, filterShape: filter.shape }),
      };
    },
  },
  DepthwiseConv2dNative: {
    saves: ["x", "filter"],
    gradient: (dy, saved, attributes) => {
      const [x, filter] = saved as [tf.Tensor4D, tf.Tensor4D];
      const gradient = dy as tf.Tensor4D;
      const geometry = windowGeometry(attributes);
      // tfjs's cpu backend has kernels that forget the dilation, its wasm backend none.
      const hasKernel = (name: string) =>
        [geometry.dilations ?? 1].flat().every((dilation) => dilation === 1) &&
        tf.getKernel(name, tf.getBackend()) != null;
      return {
        x: () =>
          hasKernel("DepthwiseConv2dNativeBackpropInput")
            ? run(
                "DepthwiseConv2dNativeBackpropInput",
                { dy, filter },
                { ...geometry, inputShape: x.shape },
              )
            : depthwiseInputGradient(gradient, filter, x.shape, geometry),
        filter: () =>
          hasKernel("DepthwiseConv2dNativeBackpropFilter")
            ? run(
                "DepthwiseConv2dNativeBackpropFilter",
                { x, dy },
                { ...geometry, filterShape: filter.shape },
              )
            : depthwiseFilterGradient(x, gradient, filter.shape, geometry),
      };
    },
  },
  MaxPool: {
    saves: ["x"],
    savesOutput: true,
    gradient: (dy, saved, attributes) => {
      const [input, output] = saved as [tf.Tensor, tf.Tensor];
      return { x: () => run("MaxPoolGrad", { dy, input, output }, poolAttributes(attributes)) };
    },
  },
  AvgPool: {
    saves: ["x"],
    gradient: (dy, saved, attributes) => {
      const input = saved[0] as tf.Tensor4D;
      return { x: () => averagePoolGradient(dy as tf.Tensor4D, input, attributes) };
    },
  },
};

function convolutionAttributes({
  strides,
  pad,
  dataFormat,
  dimRoundingMode,
  dilations,
}: Attributes) {
  if (
    dilations !== undefined &&
    !(Array.isArray(dilations) ? dilations : [dilations]).every((d) => d === 1)
  ) {
    throw new LejepaError(
      "no-gradient",
      "tf.conv2d: there is no gradient with a dilation; use conv2d of @lejepa/ops.",
    );
  }
  return { strides, pad, dataFormat, dimRoundingMode };
}

/** dy over the number of pixels of the image in each window, at those pixels.
 *  The kernels of tfjs's backends for JavaScript divide by the whole window: they are asked about an image that has its
 *  padding around it, and dy is weighted beforehand. */
function averagePoolGradient(
  dy: tf.Tensor4D,
  input: tf.Tensor4D,
  attributes: Attributes,
): tf.Tensor {
  const { filterSize, strides, pad, dimRoundingMode } = poolAttributes(attributes);
  const window = tf.backend_util.computePool2DInfo(
    input.shape,
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const shares = averageShares(window);
  const dividesByWhole = ["cpu", "wasm"].includes(tf.getBackend());
  if (!dividesByWhole || shares.every((share) => share === 1))
    return run("AvgPoolGrad", { dy, input }, poolAttributes(attributes));
  const weights = tf.tensor(shares, [1, window.outHeight, window.outWidth, 1]);
  const wide = run(
    "AvgPoolGrad",
    { dy: tf.mul(dy, weights), input: surrounded(input, window) },
    { filterSize, strides, pad: "valid" },
  ) as tf.Tensor4D;
  const { top, left } = window.padInfo;
  return tf.slice(wide, [0, top, left, 0], input.shape);
}

interface Pooling {
  readonly filterSize: [number, number];
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

function poolAttributes(attributes: Attributes): Pooling & Attributes {
  const { filterSize, strides, pad, dimRoundingMode } = attributes as unknown as Pooling;
  return {
    filterSize,
    strides,
    pad,
    ...(dimRoundingMode === undefined ? {} : { dimRoundingMode }),
  };
}

function windowGeometry(attributes: Attributes): WindowGeometry & Attributes {
  const { strides, pad, dilations, dimRoundingMode } = attributes as unknown as WindowGeometry;
  // Layers of tfjs pass null where they have none.
  return { strides, pad, dilations: dilations ?? 1, dimRoundingMode };
}

function run(kernel: string, inputs: tf.NamedTensorMap, attributes: Attributes): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs, attributes as tf.NamedAttrMap);
}

/** tfjs names the inputs of a kernel that takes a list "0", "1", ... */
function byIndex(gradients: (() => tf.Tensor)[]): Record<string, () => tf.Tensor> {
  return Object.fromEntries(gradients.map((gradient, i) => [i, gradient]));
}

/** Adds what lies beyond the ends of an axis to what it mirrors, `skipped` elements from the end inwards: the transpose of
 *  mirroring. */
function foldBack(
  dy: tf.Tensor,
  axis: number,
  length: number,
  [before, after]: [number, number],
  skipped: number,
): tf.Tensor {
  const part = (from: number, size: number) =>
    tf.slice(
      dy,
      dy.shape.map((_, i) => (i === axis ? from : 0)),
      dy.shape.map((whole, i) => (i === axis ? size : whole)),
    );
  const placed = (x: tf.Tensor, from: number) =>
    tf.pad(
      x,
      x.shape.map((size, i): [number, number] =>
        i === axis ? [from, length - from - size] : [0, 0],
      ),
    );
  return tf.addN([
    part(before, length),
    ...(before > 0 ? [placed(tf.reverse(part(0, before), axis), skipped)] : []),
    ...(after > 0
      ? [placed(tf.reverse(part(before + length, after), axis), length - after - skipped)]
      : []),
  ]);
}

/** 1 where true, 0 where false. */
function mask(condition: tf.Tensor): tf.Tensor {
  return tf.cast(condition, "float32");
}

/** The shape with the reduced axes at length 1. */
function keptShape(shape: readonly number[], axis: unknown): number[] {
  const axes = axis === undefined || axis === null ? shape.map((_, i) => i) : [axis].flat();
  const reduced = new Set(axes.map((i) => ((i as number) + shape.length) % shape.length));
  return shape.map((length, i) => (reduced.has(i) ? 1 : length));
}

/** Undoes broadcasting: sums x over the axes along which `shape` was repeated. Always a tensor of its own. */
function sumTo(x: tf.Tensor, shape: number[]): tf.Tensor {
  const offset = x.shape.length - shape.length;
  const axes = x.shape.flatMap((length, axis) =>
    axis < offset || (shape[axis - offset] === 1 && length !== 1) ? [axis] : [],
  );
  if (axes.length === 0) {
    return tf.reshape(x, shape);
  }
  if (axes.every((axis, i) => axis === i)) {
    return tf.reshape(columnSums(tf.reshape<tf.Rank.R2>(x, [-1, sizeOf(shape)])), shape);
  }
  return tf.reshape(tf.sum(x, axes), shape);
}

/** Gradient of picking slices by index: each slice of dy is added where it came from.
 *  dy [B.., before.., picked.., after..] -> [B.., before.., length, after..] for `batch` axes B.. that the indices
 *  [B.., picked..] share. */
function scatterSum(
  dy: tf.Tensor,
  indices: tf.Tensor,
  shape: number[],
  axis: number,
  batch: number,
): tf.Tensor {
  const length = shape[axis] as number;
  const groups = sizeOf(shape.slice(0, batch));
  const before = sizeOf(shape.slice(batch, axis));
  const after = sizeOf(shape.slice(axis + 1));
  const picked = indices.size / groups;
  const swapped = tf.transpose(tf.reshape(dy, [groups, before, picked, after]), [0, 2, 1, 3]);
  const slices = tf.reshape(swapped, [groups, picked, before * after]);
  // A product with the one-hot matrix of the indices adds up, and every backend has it. tf.oneHot refuses one class.
  const places = tf.reshape(tf.cast(indices, "int32"), [groups, picked, 1]);
  const choice = mask(tf.equal(places, tf.range(0, length, 1, "int32")));
  const sums = tf.reshape(tf.matMul(choice, slices, true), [groups, length, before, after]);
  return tf.reshape(tf.transpose(sums, [0, 2, 1, 3]), shape);
}
