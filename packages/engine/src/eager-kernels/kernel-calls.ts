/** Calls that reach every kernel of tfjs-backend-wasm, on numbers of all kinds: by them the eager engine's backends are held
 *  to each other and to float64. */
import * as tf from "@tensorflow/tfjs-core";

/** One call; its operands are made on the active backend. */
export interface KernelCall {
  readonly title: string;
  readonly run: () => tf.Tensor | tf.Tensor[];
}

type Shape = number[];
type Make = (shape: Shape, seed?: number) => tf.Tensor;

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** NaN with a sign, as Infinity - Infinity gives it. */
const signedNaN = new Float32Array(Uint32Array.of(0xffc00000).buffer)[0]!;

const specials = [
  ...[NaN, signedNaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 1.2e-38, 3.4e38, -3.4e38],
  ...[1e30, -1e30, 88.9, -88.9, 20, -20, 17.5, -17.5, 1e-7, -1e-7, 0.5, -0.5, 1, -1, 1.5, -1.5],
  ...[2.5, -2.5, 3, -3, 0.3, -0.3, 9, -9, 1e5, -1e5, 1e10, 16777217],
];
const whole = [0, 1, -1, 2, -2, 3, 7, -7, 100, -100, 65536, -65536, 16777217, 5];

const from =
  (values: readonly number[], dtype: "float32" | "int32" = "float32"): Make =>
  (shape, seed = 0) =>
    tf.tensor(
      Array.from({ length: sizeOf(shape) }, (_, i) => values[(i * 7 + seed) % values.length]!),
      shape,
      dtype,
    );

/** In -1..1. */
export const floats: Make = (shape, seed = 1) =>
  tf.tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
      const u = Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 43758.5453;
      return 2 * (u - Math.floor(u)) - 1;
    }),
    shape,
  );
const negative: Make = (shape, seed) => tf.sub(floats(shape, seed), 3);
const tied: Make = (shape, seed) => tf.round(tf.mul(floats(shape, seed), 1.4));
const special = from(specials);
/** Sums of these are within float32. */
const moderate = from(specials.filter((value) => Math.abs(value) < 1e10));
const ints = from(whole, "int32");
const bools: Make = (shape, seed = 0) =>
  tf.tensor(
    Uint8Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 5 + seed) % 3) & 1),
    shape,
    "bool",
  );

const kernel = (name: string, inputs: object, attributes: object = {}): tf.Tensor =>
  tf
    .engine()
    .runKernel<tf.Tensor>(name, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);

const calls: KernelCall[] = [];
const call = (title: string, run: KernelCall["run"]): void => {
  calls.push({ title, run });
};
const each = (makes: Readonly<Record<string, Make>>, body: (make: Make, of: string) => void) => {
  for (const [of, make] of Object.entries(makes)) body(make, `of ${of}`);
};

const all = { floats, negative, tied, special, ints, bools };
const numeric = { floats, negative, tied, special, ints };
const real = { floats, negative, tied, special };
const summed = { floats, negative, tied, moderate, ints };

// Elementwise.
type Unary = (x: tf.Tensor) => tf.Tensor;
const unaries: Readonly<Record<string, Unary>> = {
  ...{ Abs: tf.abs, Acos: tf.acos, Acosh: tf.acosh, Asin: tf.asin, Asinh: tf.asinh },
  ...{ Atan: tf.atan, Atanh: tf.atanh, Ceil: tf.ceil, Cos: tf.cos, Cosh: tf.cosh, Elu: tf.elu },
  ...{ Erf: tf.erf, Exp: tf.exp, Expm1: tf.expm1, Floor: tf.floor, IsFinite: tf.isFinite },
  ...{ IsInf: tf.isInf, IsNan: tf.isNaN, Log: tf.log, Log1p: tf.log1p, Neg: tf.neg },
  ...{ OnesLike: tf.onesLike, Reciprocal: tf.reciprocal, Relu: tf.relu, Relu6: tf.relu6 },
  ...{ Round: tf.round, Rsqrt: tf.rsqrt, Selu: tf.selu, Sigmoid: tf.sigmoid, Sign: tf.sign },
  ...{ Sin: tf.sin, Sinh: tf.sinh, Softplus: tf.softplus, Sqrt: tf.sqrt, Square: tf.square },
  ...{ Step: tf.step, Tan: tf.tan, Tanh: tf.tanh, ZerosLike: tf.zerosLike, Identity: tf.clone },
  LeakyRelu: (x) => tf.leakyRelu(x, 0.3),
  ClipByValue: (x) => tf.clipByValue(x, -1, 2),
  LogicalNot: (x) => tf.logicalNot(tf.cast(x, "bool")),
  "Cast to int32": (x) => tf.cast(x, "int32"),
  "Cast to bool": (x) => tf.cast(x, "bool"),
  "Cast to float32": (x) => tf.cast(x, "float32"),
};
/** tfjs-core takes floats alone. */
const ofFloats = new Set([
  ...["Ceil", "Cos", "Cosh", "Elu", "Erf", "Floor", "Log", "Rsqrt", "Sigmoid", "Sin", "Sqrt"],
  ...["Tan", "Tanh"],
]);
for (const [name, f] of Object.entries(unaries)) {
  each(ofFloats.has(name) ? real : all, (make, of) => {
    call(`${name} ${of}`, () => f(make([3, 13])));
  });
  call(`${name} of a scalar`, () => f(floats([])));
  call(`${name} of rank 6`, () => f(floats([1, 2, 1, 3, 1, 2])));
  call(`${name} of nothing`, () => f(floats([0, 3])));
}

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
const binaries: Readonly<Record<string, Binary>> = {
  ...{ Add: tf.add, Sub: tf.sub, Multiply: tf.mul, RealDiv: tf.div, FloorDiv: tf.floorDiv },
  ...{ Mod: tf.mod, Pow: tf.pow, Maximum: tf.maximum, Minimum: tf.minimum, Atan2: tf.atan2 },
  ...{ SquaredDifference: tf.squaredDifference, Equal: tf.equal, NotEqual: tf.notEqual },
  ...{ Greater: tf.greater, GreaterEqual: tf.greaterEqual, Less: tf.less },
  ...{ LessEqual: tf.lessEqual, Prelu: tf.prelu },
};
for (const [name, f] of Object.entries(binaries)) {
  each(all, (make, of) => {
    call(`${name} ${of}, each with each`, () => f(make([39, 1]), make([39], 3)));
    call(`${name} ${of} in pairs`, () => f(make([39]), make([39], 3)));
  });
  call(`${name} of ints and floats`, () => f(ints([3, 1]), floats([4])));
  call(`${name} of rank 6`, () => f(floats([1, 2, 1, 3, 1, 2], 2), floats([2, 1, 2, 1, 3, 1], 3)));
  call(`${name} of scalars`, () => f(floats([], 2), floats([], 3)));
  call(`${name} of a scalar and a matrix`, () => f(floats([], 2), floats([2, 2], 3)));
  call(`${name} of nothing`, () => f(floats([0, 3]), floats([3])));
}
for (const [name, f] of Object.entries({
  and: tf.logicalAnd,
  or: tf.logicalOr,
  xor: tf.logicalXor,
})) {
  call(`Logical ${name}`, () => f(bools([3, 1]), bools([4])));
  call(`Logical ${name} of rank 6`, () => f(bools([1, 2, 1, 3]), bools([2, 1, 2, 1, 3, 1])));
  call(`Logical ${name} of nothing`, () => f(bools([0, 3]), bools([3])));
}
call("BitwiseAnd", () => kernel("BitwiseAnd", { a: ints([14]), b: ints([14], 3) }));
each(real, (make, of) => {
  call(`EluGrad ${of}`, () => kernel("EluGrad", { dy: make([12]), y: make([12], 3) }));
  call(`AddN ${of}`, () => tf.addN([make([2, 3]), make([2, 3], 2), make([2, 3], 4)]));
});

// Reductions.
type Reduction = (x: tf.Tensor, axis?: number | number[], keep?: boolean) => tf.Tensor;
const reductions: Readonly<Record<string, readonly [Reduction, Readonly<Record<string, Make>>]>> = {
  Sum: [tf.sum, { ...summed, bools, special }],
  Mean: [tf.mean, { ...summed, bools, special }],
  Max: [tf.max, numeric],
  Min: [tf.min, numeric],
  Prod: [tf.prod, { floats, negative, tied, ints }],
  All: [(x, axis, keep) => tf.all(tf.cast(x, "bool"), axis, keep), all],
  Any: [(x, axis, keep) => tf.any(tf.cast(x, "bool"), axis, keep), all],
};
for (const [name, [f, makes]] of Object.entries(reductions)) {
  each(makes, (make, of) => {
    for (const axis of [undefined, -1, 0, [0, 2], [-1, -2], []]) {
      call(`${name} ${of} over ${JSON.stringify(axis)}`, () => f(make([5, 7, 3]), axis));
      call(`${name} ${of} over ${JSON.stringify(axis)}, kept`, () =>
        f(make([3, 1, 4]), axis, true),
      );
    }
  });
  call(`${name} of a scalar`, () => f(floats([])));
  call(`${name} over nothing`, () => f(floats([0, 3]), 0));
  call(`${name} of nothing`, () => f(floats([0, 3]), 1));
  call(`${name} of rank 6`, () => f(floats([2, 1, 3, 1, 2, 2]), [1, 2, 5]));
  call(`${name} of many`, () => f(floats([300, 400])));
  call(`${name} of many equals`, () => f(tf.fill([300_000], name === "Prod" ? 1 : 0.1)));
  call(`${name} over many rows`, () => f(tf.fill([20_000, 3], 1), 0));
  call(`${name} of NaN alone`, () => f(tf.fill([3], NaN)));
  call(`${name} with NaN last`, () => f(tf.tensor1d([1, NaN])));
}
for (const [name, f] of Object.entries({ ArgMax: tf.argMax, ArgMin: tf.argMin }))
  each(numeric, (make, of) => {
    for (const axis of [0, 1, -1])
      call(`${name} ${of} over ${axis}`, () => f(make([3, 5, 4]), axis));
  });
each(summed, (make, of) => {
  for (const axis of [0, 1, -1])
    for (const [exclusive, reverse] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ])
      for (const [name, f] of Object.entries({ Cumsum: tf.cumsum, Cumprod: tf.cumprod }))
        call(`${name} ${of} along ${axis}, ${exclusive}, ${reverse}`, () =>
          f(
            name === "Cumprod" && make === ints
              ? tf.cast(bools([3, 5, 4]), "int32")
              : make([3, 5, 4]),
            axis,
            exclusive,
            reverse,
          ),
        );
});
each(real, (make, of) => {
  for (const shape of [[4, 7], [5], [2, 1, 3, 3]]) {
    call(`Softmax ${of} [${shape.join()}]`, () => tf.softmax(make(shape)));
    call(`LogSoftmax ${of} [${shape.join()}]`, () => tf.logSoftmax(make(shape)));
  }
  call(`TopK ${of}`, () => Object.values(tf.topk(make([4, 7]), 3)));
  call(`Unique ${of}`, () => Object.values(tf.unique(make([12]))));
});

// Products.
for (const [m, k, n] of [
  [1, 1, 1],
  [3, 5, 2],
  [9, 1, 9],
  [17, 33, 5],
  [2, 0, 3],
  [0, 2, 3],
] as const)
  for (const [ofA, ofB] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const)
    each({ floats, negative, moderate, ints }, (make, of) => {
      const a = ofA ? [k, m] : [m, k];
      const b = ofB ? [n, k] : [k, n];
      const how = `${of} ${m}x${k}x${n} ${ofA} ${ofB}`;
      call(`BatchMatMul ${how}`, () => tf.matMul(make(a), make(b, 3), ofA, ofB));
      for (const [first, second] of [
        [[2], [2]],
        [[2], [1]],
        [[1], [2]],
        [[2, 1], [3]],
      ] as const)
        call(`BatchMatMul ${how} of [${first.join()}] by [${second.join()}]`, () =>
          tf.matMul(make([...first, ...a]), make([...second, ...b], 3), ofA, ofB),
        );
    });
const activations = ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const;
for (const activation of activations)
  for (const bias of [false, true]) {
    const rest = (channels: number) => ({
      activation,
      leakyreluAlpha: 0.3,
      ...(bias ? { bias: floats([channels], 5) } : {}),
      ...(activation === "prelu" ? { preluActivationWeights: floats([channels], 4) } : {}),
    });
    const how = `${activation}${bias ? " and bias" : ""}`;
    each({ floats, moderate }, (make, of) => {
      for (const [ofA, ofB] of [
        [false, false],
        [true, true],
      ] as const)
        call(`_FusedMatMul ${of}, ${how} ${ofA}`, () =>
          tf.fused.matMul({
            a: make(ofA ? [5, 3] : [3, 5]),
            b: make(ofB ? [2, 5] : [5, 2], 3),
            transposeA: ofA,
            transposeB: ofB,
            ...rest(2),
          }),
        );
      call(`FusedConv2D ${of}, ${how}`, () =>
        tf.fused.conv2d({
          x: make([1, 5, 6, 2]) as tf.Tensor4D,
          filter: floats([3, 2, 2, 3], 2) as tf.Tensor4D,
          strides: [2, 1],
          pad: "same",
          ...rest(3),
        }),
      );
      call(`FusedDepthwiseConv2D ${of}, ${how}`, () =>
        tf.fused.depthwiseConv2d({
          x: make([1, 5, 6, 2]) as tf.Tensor4D,
          filter: floats([3, 2, 2, 2], 2) as tf.Tensor4D,
          strides: 2,
          pad: "same",
          ...rest(4),
        }),
      );
    });
  }

// Windows.
type Four = [number, number, number, number];
type Pair = [number, number];
export interface WindowCase {
  readonly images: Four;
  readonly size: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pad: "same" | "valid" | tf.backend_util.ExplicitPadding;
}
/** Windows that reach the image, of odd and even sizes, by equal and unequal strides. */
export const windowCases: readonly WindowCase[] = (
  [
    [1, 2, 2, 1],
    [2, 5, 6, 3],
    [1, 1, 7, 4],
    [2, 7, 4, 1],
  ] as Four[]
).flatMap((images) =>
  (
    [
      [1, 1],
      [1, 2],
      [2, 2],
      [3, 3],
      [2, 3],
    ] as Pair[]
  ).flatMap((size) =>
    (
      [
        [1, 1],
        [2, 2],
        [1, 2],
        [3, 1],
      ] as Pair[]
    ).flatMap((strides) =>
      (
        [
          "same",
          "valid",
          [
            [0, 0],
            [1, 0],
            [0, 2],
            [0, 0],
          ],
        ] as WindowCase["pad"][]
      ).flatMap((pad) =>
        (
          [
            [1, 1],
            [2, 1],
          ] as Pair[]
        )
          .map((dilations): WindowCase => ({ images, size, strides, dilations, pad }))
          .filter(
            ({ dilations }) => strides.every((s) => s === 1) || dilations.every((d) => d === 1),
          )
          .filter(({ dilations: [down, along] }) => {
            const [rows, columns] = pad === "same" ? [100, 100] : pad === "valid" ? [0, 0] : [1, 2];
            return (
              (size[0] - 1) * down < images[1] + rows && (size[1] - 1) * along < images[2] + columns
            );
          }),
      ),
    ),
  ),
);
const reachesOnly = ({ size, pad, dilations }: WindowCase): boolean =>
  dilations.every((d) => d === 1) && (typeof pad === "string" || (size[0] > 1 && size[1] > 2));
for (const window of windowCases) {
  const { images, size, strides, dilations, pad } = window;
  const [, , , channels] = images;
  const how = `[${images.join()}] ${size.join("x")} by ${strides.join()}, ${JSON.stringify(pad)}, ${dilations.join()}`;
  each({ floats, negative, moderate, special }, (make, of) => {
    const x = () => make(images) as tf.Tensor4D;
    // Of special numbers only those that no sum rounds differently.
    if (make !== special) {
      for (const outputs of [1, 4])
        call(`Conv2D ${of}, ${how} to ${outputs}`, () =>
          tf.conv2d(
            x(),
            floats([...size, channels, outputs], 2) as tf.Tensor4D,
            strides,
            pad,
            "NHWC",
            dilations,
          ),
        );
      call(`DepthwiseConv2dNative ${of}, ${how}`, () =>
        tf.depthwiseConv2d(
          x(),
          floats([...size, channels, 2], 2) as tf.Tensor4D,
          strides,
          pad,
          "NHWC",
          dilations,
        ),
      );
    }
    if (make === floats && dilations[0] === 1)
      call(`Conv2DBackpropInput, ${how}`, () => {
        const filter: Four = [...size, channels, 3];
        const { outShape } = tf.backend_util.computeConv2DInfo(images, filter, strides, 1, pad);
        return tf.conv2dTranspose(
          floats(outShape) as tf.Tensor4D,
          floats(filter, 2) as tf.Tensor4D,
          images,
          strides,
          pad,
        );
      });
    if (make === floats) {
      const filter: Four = [...size, channels, 2];
      const geometry = { strides, pad, dilations };
      const depthwise = () =>
        tf.backend_util.computeConv2DInfo(images, filter, strides, dilations, pad, undefined, true);
      call(`DepthwiseConv2dNativeBackpropInput, ${how}`, () =>
        kernel(
          "DepthwiseConv2dNativeBackpropInput",
          { dy: floats(depthwise().outShape, 4), filter: floats(filter, 2) },
          { ...geometry, inputShape: images },
        ),
      );
      call(`DepthwiseConv2dNativeBackpropFilter, ${how}`, () =>
        kernel(
          "DepthwiseConv2dNativeBackpropFilter",
          { x: x(), dy: floats(depthwise().outShape, 4) },
          { ...geometry, filterShape: filter },
        ),
      );
      if (dilations[0] === 1)
        call(`Conv2DBackpropFilter, ${how}`, () => {
          const { outShape } = tf.backend_util.computeConv2DInfo(images, filter, strides, 1, pad);
          const attributes = { strides, pad, dataFormat: "NHWC", filterShape: filter };
          return kernel("Conv2DBackpropFilter", { x: x(), dy: floats(outShape, 4) }, attributes);
        });
    }
    if (!reachesOnly(window)) return;
    call(`MaxPool ${of}, ${how}`, () => tf.maxPool(x(), size, strides, pad));
    call(`MaxPoolGrad ${of}, ${how}`, () =>
      tf.grad((t) => tf.maxPool(t as tf.Tensor4D, size, strides, pad))(x()),
    );
    if (make !== special) {
      call(`AvgPool ${of}, ${how}`, () => tf.avgPool(x(), size, strides, pad));
      call(`AvgPoolGrad ${of}, ${how}`, () =>
        tf.grad((t) => tf.avgPool(t as tf.Tensor4D, size, strides, pad))(x()),
      );
    }
    if (typeof pad === "string" && make !== special)
      call(`MaxPoolWithArgmax ${of}, ${how}`, () =>
        Object.values(tf.maxPoolWithArgmax(x(), size, strides, pad)),
      );
  });
}
const volume: [number, number, number, number, number] = [1, 4, 5, 3, 2];
const filter3D: [number, number, number, number, number] = [2, 2, 2, 2, 3];
for (const pad of ["same", "valid"] as const)
  for (const stride of [1, 2])
    each({ floats, negative, tied }, (make, of) => {
      const how = `${of}, by ${stride}, ${pad}`;
      const x = () => make(volume) as tf.Tensor5D;
      const geometry = { strides: [stride, stride, stride], pad };
      const pooling = { ...geometry, filterSize: [2, 2, 2] };
      const { outShape } = tf.backend_util.computeConv3DInfo(volume, filter3D, stride, 1, pad);
      const pooled = [...outShape.slice(0, 4), 2];
      call(`MaxPool3D ${how}`, () => tf.maxPool3d(x(), 2, stride, pad));
      call(`AvgPool3D ${how}`, () => tf.avgPool3d(x(), 2, stride, pad));
      call(`MaxPool3DGrad ${how}`, () => {
        const [input, output] = [x(), tf.maxPool3d(x(), 2, stride, pad)];
        return kernel("MaxPool3DGrad", { dy: floats(pooled, 9), input, output }, pooling);
      });
      call(`AvgPool3DGrad ${how}`, () =>
        kernel("AvgPool3DGrad", { dy: floats(pooled, 9), input: x() }, pooling),
      );
      call(`Conv3D ${how}`, () => tf.conv3d(x(), floats(filter3D, 2) as tf.Tensor5D, stride, pad));
      call(`Conv3DBackpropInputV2 ${how}`, () =>
        tf.conv3dTranspose(
          make(outShape) as tf.Tensor5D,
          floats(filter3D, 2) as tf.Tensor5D,
          volume,
          stride,
          pad,
        ),
      );
      call(`Conv3DBackpropFilterV2 ${how}`, () =>
        kernel(
          "Conv3DBackpropFilterV2",
          { x: x(), dy: floats(outShape, 9) },
          { ...geometry, filterShape: filter3D },
        ),
      );
      const image = () => make([2, 5, 6, 3]) as tf.Tensor4D;
      call(`Dilation2D ${how}`, () =>
        tf.dilation2d(image(), floats([2, 3, 3], 2) as tf.Tensor3D, stride, pad),
      );
      for (const part of ["Input", "Filter"])
        call(`Dilation2DBackprop${part} ${how}`, () => {
          const filter = floats([2, 3, 3], 2) as tf.Tensor3D;
          const dy = tf.onesLike(tf.dilation2d(image(), filter, stride, pad));
          const attributes = { strides: [stride, stride], pad, dilations: [1, 1] };
          return kernel(`Dilation2DBackprop${part}`, { x: image(), filter, dy }, attributes);
        });
    });

// Shapes.
each({ floats, special, ints, bools }, (make, of) => {
  for (const rank of [1, 2, 3, 4, 5, 6]) {
    const shape = [2, 3, 1, 2, 3, 2].slice(0, rank);
    const how = `${of}, rank ${rank}`;
    const x = () => make(shape);
    const both = () => [x(), make(shape, 3)];
    call(`Transpose ${how}`, () =>
      tf.transpose(
        x(),
        shape.map((_, i) => rank - 1 - i),
      ),
    );
    call(`Transpose ${how}, turned`, () =>
      tf.transpose(
        x(),
        shape.map((_, i) => (i + 1) % rank),
      ),
    );
    call(`Slice ${how}`, () =>
      tf.slice(
        x(),
        shape.map((length) => Math.min(1, length - 1)),
      ),
    );
    call(`Slice ${how}, nothing`, () =>
      tf.slice(
        x(),
        shape.map(() => 0),
        shape.map(() => 0),
      ),
    );
    call(`StridedSlice ${how}`, () =>
      tf.stridedSlice(
        x(),
        shape.map(() => 0),
        shape,
        shape.map(() => 2),
      ),
    );
    call(`StridedSlice ${how}, backwards`, () =>
      tf.stridedSlice(
        x(),
        shape.map(() => -1),
        shape.map((length) => -length - 1),
        shape.map(() => -1),
      ),
    );
    call(`Tile ${how}`, () =>
      tf.tile(
        x(),
        shape.map((_, i) => 1 + (i % 3)),
      ),
    );
    call(`Reverse ${how}`, () => tf.reverse(x(), [...new Set([0, rank - 1])]));
    call(`Concat ${how}`, () => [tf.concat(both(), 0), tf.concat(both(), rank - 1)]);
    call(`Pack ${how}`, () => tf.stack(both(), rank - 1));
    call(`Unpack ${how}`, () => tf.unstack(x(), -1));
    call(`SplitV ${how}`, () => tf.split(x(), [1, 1], 0));
    call(`ExpandDims ${how}`, () => tf.expandDims(x(), 0));
    call(`GatherV2 ${how}`, () => tf.gather(x(), tf.tensor1d([1, 0, 1], "int32"), 0));
    call(`GatherV2 ${how}, last axis`, () =>
      tf.gather(x(), tf.tensor2d([[0, 0]], [1, 2], "int32"), rank - 1),
    );
    call(`Select ${how}`, () => tf.where(bools(shape), x(), make(shape, 3)));
    call(`BroadcastTo ${how}`, () => tf.broadcastTo(x(), [2, ...shape]));
    if (make !== bools) {
      call(`PadV2 ${how}`, () =>
        tf.pad(
          x(),
          shape.map((_, i): Pair => [i % 2, 1]),
          -2,
        ),
      );
      call(`MirrorPad ${how}`, () =>
        tf.mirrorPad(
          x(),
          shape.map((): Pair => [1, 1]),
          "symmetric",
        ),
      );
    }
  }
  const rows = (values: number[][]) => tf.tensor2d(values, undefined, "int32");
  call(`Transpose ${of}, large`, () => tf.transpose(make([37, 53])));
  call(`Select ${of}, by rows`, () => tf.where(bools([3, 1]), make([3, 2]), make([2], 3)));
  call(`GatherV2 ${of}, by batch`, () =>
    tf.gather(
      make([2, 3, 4]),
      rows([
        [1, 0],
        [2, 2],
      ]),
      1,
      1,
    ),
  );
  call(`GatherNd ${of}`, () =>
    tf.gatherND(
      make([3, 4, 2]),
      rows([
        [0, 1],
        [2, 3],
      ]),
    ),
  );
  call(`ScatterNd ${of}`, () => tf.scatterND(rows([[1], [0], [2]]), make([3, 2]), [4, 2]));
  call(`TensorScatterUpdate ${of}`, () =>
    tf.tensorScatterUpdate(make([4, 2]), rows([[1], [0]]), make([2, 2], 3)),
  );
  call(`BatchToSpaceND ${of}`, () =>
    tf.batchToSpaceND(
      make([8, 2, 3, 1]),
      [2, 2],
      [
        [0, 1],
        [1, 0],
      ],
    ),
  );
  call(`SpaceToBatchND ${of}`, () =>
    tf.spaceToBatchND(
      make([2, 3, 5, 1]),
      [2, 2],
      [
        [1, 0],
        [0, 1],
      ],
    ),
  );
  if (make === floats || make === special)
    call(`DepthToSpace ${of}`, () => tf.depthToSpace(make([1, 2, 3, 8]) as tf.Tensor4D, 2, "NHWC"));
  call(`Diag ${of}`, () => tf.diag(make([4])));
  call(`BroadcastArgs ${of}`, () =>
    kernel("BroadcastArgs", { s0: tf.tensor1d([2, 1], "int32"), s1: tf.tensor1d([3], "int32") }),
  );
});
for (const make of [floats, special, ints])
  call("UnsortedSegmentSum", () =>
    tf.unsortedSegmentSum(make([4, 3]), tf.tensor1d([1, 0, 1, 3], "int32"), 4),
  );
call("OneHot", () =>
  tf.oneHot(
    tf.tensor2d(
      [
        [0, 2, -1],
        [5, 1, 3],
      ],
      [2, 3],
      "int32",
    ),
    4,
    3,
    -1,
  ),
);
call("LinSpace", () => tf.linspace(-1, 3, 7));
call("Range", () => [tf.range(5, -4, -2), tf.range(0, 1, 0.1), tf.range(0, 5, 1, "int32")]);
call("Fill", () => [
  tf.fill([2, 3], -Infinity),
  tf.fill([3], 7, "int32"),
  tf.fill([0], 1),
  tf.fill([2], 1, "bool"),
]);
call("SearchSorted", () =>
  [tf.lowerBound, tf.upperBound].map((bound) =>
    bound(tf.tensor1d([1, 2, 2, 3]), tf.tensor1d([0, 2, 2.5, 9])),
  ),
);
call("Bincount", () =>
  tf.bincount(tf.tensor1d([1, 2, 2, 3], "int32"), floats([4]) as tf.Tensor1D, 5),
);
call("DenseBincount", () =>
  tf.denseBincount(
    tf.tensor2d(
      [
        [1, 2],
        [2, 3],
      ],
      [2, 2],
      "int32",
    ),
    floats([2, 2]) as tf.Tensor2D,
    5,
  ),
);
call("SparseToDense", () =>
  tf.sparseToDense(tf.tensor1d([1, 3], "int32"), floats([2]), [5], tf.scalar(0)),
);
call("SparseSegment", () => {
  const [ids, segments] = [tf.tensor1d([0, 2, 1], "int32"), tf.tensor1d([0, 0, 1], "int32")];
  const data = floats([3, 2]) as tf.Tensor2D;
  return [
    tf.sparse.sparseSegmentSum(data, ids, segments),
    tf.sparse.sparseSegmentMean(data, ids, segments),
  ];
});
call("SparseReshape", () =>
  Object.values(
    tf.sparse.sparseReshape(
      tf.tensor2d(
        [
          [0, 1],
          [1, 2],
        ],
        [2, 2],
        "int32",
      ),
      tf.tensor1d([2, 3], "int32"),
      tf.tensor1d([3, 2], "int32"),
    ),
  ),
);
call("SparseFillEmptyRows", () =>
  Object.values(
    tf.sparse.sparseFillEmptyRows(
      tf.tensor2d(
        [
          [0, 1],
          [2, 0],
        ],
        [2, 2],
        "int32",
      ),
      floats([2]) as tf.Tensor1D,
      tf.tensor1d([3, 2], "int32"),
      tf.scalar(7),
    ),
  ),
);

// Images.
each({ floats, negative, ints }, (make, of) => {
  const x = (): tf.Tensor4D => make([2, 4, 5, 3]) as tf.Tensor4D;
  for (const [corners, centers] of [
    [false, false],
    [true, false],
    [false, true],
  ] as const)
    for (const size of [
      [8, 3],
      [2, 2],
      [5, 7],
      [1, 1],
    ] as Pair[]) {
      const how = `${of} to ${size.join("x")}, ${corners}, ${centers}`;
      call(`ResizeBilinear ${how}`, () => tf.image.resizeBilinear(x(), size, corners, centers));
      call(`ResizeNearestNeighbor ${how}`, () =>
        tf.image.resizeNearestNeighbor(x(), size, corners, centers),
      );
      if (make === ints) continue;
      for (const name of ["ResizeBilinearGrad", "ResizeNearestNeighborGrad"])
        call(`${name} ${how}`, () =>
          kernel(
            name,
            { images: x(), dy: floats([2, ...size, 3], 4) },
            { alignCorners: corners, halfPixelCenters: centers },
          ),
        );
    }
  if (make === ints) return;
  const lrn = { depthRadius: 2, bias: 1, alpha: 0.5, beta: 0.7 };
  call(`LRN ${of}`, () => tf.localResponseNormalization(x(), 2, 1, 0.5, 0.7));
  call(`LRNGrad ${of}`, () =>
    kernel(
      "LRNGrad",
      {
        x: x(),
        y: tf.localResponseNormalization(x(), 2, 1, 0.5, 0.7),
        dy: floats([2, 4, 5, 3], 3),
      },
      lrn,
    ),
  );
  const variance = () => tf.abs(floats([3], 3));
  call(`FusedBatchNorm ${of}`, () =>
    tf.batchNorm(x(), floats([3], 2), variance(), floats([3], 4), floats([3], 5), 1e-3),
  );
  call(`FusedBatchNorm ${of}, plain`, () => tf.batchNorm(x(), floats([3], 2), variance()));
  call(`FlipLeftRight ${of}`, () => tf.image.flipLeftRight(x()));
  call(`RotateWithOffset ${of}`, () => tf.image.rotateWithOffset(x(), 0.6, 0.3, [0.4, 0.6]));
  const boxes = () =>
    tf.tensor2d([
      [0, 0, 1, 1],
      [0.2, -0.3, 0.8, 1.2],
    ]);
  for (const method of ["bilinear", "nearest"] as const)
    call(`CropAndResize ${of}, ${method}`, () =>
      tf.image.cropAndResize(x(), boxes(), tf.tensor1d([0, 1], "int32"), [3, 4], method, 7),
    );
  call(`Transform ${of}`, () => {
    const turns = tf.tensor2d([
      [1, 0.1, 0.4, -0.1, 0.9, 0, 0, 0],
      [1, 0, 0, 0, 1, 0, 0, 0],
    ]);
    return tf.image.transform(x(), turns, "bilinear", "reflect", 1, [6, 5]);
  });
});
const boxes = () =>
  tf.tensor2d([
    [0, 0, 1, 1],
    [0, 0, 1, 0.9],
    [2, 2, 3, 3],
  ]);
const scores = () => tf.tensor1d([0.5, 0.9, 0.2]);
call("NonMaxSuppressionV3", () => tf.image.nonMaxSuppression(boxes(), scores(), 3, 0.5));
call("NonMaxSuppressionV4", () =>
  Object.values(tf.image.nonMaxSuppressionPadded(boxes(), scores(), 3, 0.5)),
);
call("NonMaxSuppressionV5", () =>
  Object.values(tf.image.nonMaxSuppressionWithScore(boxes(), scores(), 3, 0.5)),
);

export const kernelCalls: readonly KernelCall[] = calls;
