/** Rows of operations that work element by element. */
import { call, Code, type Call, type Draw } from "./draw.js";

/** How one call of an operation is drawn. */
export type OperationRow = (draw: Draw) => Call;

/** Functions of one tensor by tfjs's name, with a range in which they are tame. */
const unaries: Readonly<Record<string, readonly [low: number, high: number]>> = {
  abs: [-2, 2],
  acos: [-0.9, 0.9],
  acosh: [1.1, 4],
  asin: [-0.9, 0.9],
  asinh: [-3, 3],
  atan: [-3, 3],
  atanh: [-0.9, 0.9],
  ceil: [-3, 3],
  cos: [-6, 6],
  cosh: [-3, 3],
  elu: [-4, 4],
  erf: [-4, 4],
  exp: [-4, 4],
  expm1: [-4, 4],
  floor: [-3, 3],
  isFinite: [-2, 2],
  isInf: [-2, 2],
  isNaN: [-2, 2],
  log: [0.1, 4],
  log1p: [-0.9, 4],
  logSigmoid: [-30, 30],
  neg: [-2, 2],
  onesLike: [-2, 2],
  reciprocal: [0.2, 3],
  relu: [-2, 2],
  relu6: [-2, 8],
  round: [-3, 3],
  rsqrt: [0.2, 3],
  selu: [-4, 4],
  sigmoid: [-30, 30],
  sign: [-2, 2],
  sin: [-6, 6],
  sinh: [-3, 3],
  softplus: [-30, 30],
  sqrt: [0, 4],
  square: [-2, 2],
  tan: [-1.5, 1.5],
  tanh: [-9, 9],
  zerosLike: [-2, 2],
};

/** An operand within a range: a value that is there if its elements are, else a new input; of another type or range now
 *  and then. */
const within =
  (name: string, [low, high]: readonly [number, number]): OperationRow =>
  (d) => {
    if (d.chance(0.12)) return call`tf.${code(name)}(${d.any()})`;
    const fits = d.value(
      (value) => value.least >= low && value.most <= high,
      () => d.shape(),
      "float32",
      { low, high },
    );
    return call`tf.${code(name)}(${fits})`;
  };

const code = (text: string): Code => new Code(text);

const binaries = ["add", "sub", "mul", "maximum", "minimum", "squaredDifference"];
const comparisons = ["equal", "notEqual", "greater", "greaterEqual", "less", "lessEqual"];
const logical = ["logicalAnd", "logicalOr", "logicalXor"];

const rowsOf = (
  names: readonly string[],
  row: (name: string) => OperationRow,
): Record<string, OperationRow> =>
  Object.fromEntries(names.map((name) => [`tf.${name}`, row(name)]));

/** Either order of two operands. */
const inEitherOrder = (d: Draw, name: string, a: unknown, b: unknown): Call =>
  d.chance(0.5) ? call`tf.${code(name)}(${a}, ${b})` : call`tf.${code(name)}(${b}, ${a})`;

export const elementwiseOperations: Readonly<Record<string, OperationRow>> = {
  ...Object.fromEntries(
    Object.entries(unaries).map(([name, range]) => [`tf.${name}`, within(name, range)]),
  ),
  ...rowsOf(binaries, (name) => (d) => {
    const a = d.any(["float32", "float32", "float32", "float32", "int32", "bool"]);
    // tfjs takes operands of several types.
    const b = d.chance(0.15)
      ? d.any()
      : d.chance(0.15)
        ? d.number(-2, 2)
        : d.against(a, a.dtype === "int32" ? "int32" : "float32");
    return inEitherOrder(d, name, a, b);
  }),
  ...rowsOf(comparisons, (name) => (d) => {
    const a = d.any(["float32", "float32", "int32", "bool"]);
    const b = a.dtype === "bool" ? d.bool() : d.against(a, a.dtype, { grain: "coarse" });
    return inEitherOrder(d, name, a, b);
  }),
  ...rowsOf(logical, (name) => (d) => inEitherOrder(d, name, d.bool(), d.bool())),
  "tf.logicalNot": (d) => call`tf.logicalNot(${d.bool()})`,
  "tf.div": (d) => {
    const b = d.value(
      ({ least, most }) => least > 0.05 || most < -0.05,
      () => d.shape(),
      "float32",
      { low: 0.2, high: 3 },
    );
    return d.chance(0.1)
      ? call`tf.div(${d.int()}, ${d.int(undefined, 1, 5)})`
      : call`tf.div(${d.against(b)}, ${b})`;
  },
  "tf.divNoNan": (d) => {
    const a = d.float();
    return call`tf.divNoNan(${a}, ${d.against(a, "float32", { grain: "coarse" })})`;
  },
  "tf.floorDiv": (d) =>
    d.chance(0.5)
      ? call`tf.floorDiv(${d.int()}, ${d.int(undefined, 1, 5)})`
      : call`tf.floorDiv(${d.float()}, ${d.input([], { low: 0.3, high: 2 })})`,
  "tf.mod": (d) => {
    if (d.chance(0.4))
      return call`tf.mod(${d.int()}, ${d.input([], { low: 1, high: 4 }, "int32")})`;
    const a = d.float();
    return call`tf.mod(${a}, ${d.against(a, "float32", { low: 0.4, high: 2 })})`;
  },
  "tf.pow": (d) => {
    if (d.chance(0.3)) return call`tf.pow(${d.float()}, ${d.one([2, 3, 0, -1])})`;
    const base = d.value(
      ({ least, most }) => least > 0.05 && most < 5,
      () => d.shape(),
      "float32",
      { low: 0.2, high: 3 },
    );
    return call`tf.pow(${base}, ${d.against(base, "float32", { low: -1, high: 2 })})`;
  },
  "tf.atan2": (d) => {
    const a = d.float();
    return call`tf.atan2(${a}, ${d.against(a)})`;
  },
  "tf.addN": (d) => {
    const a = d.float();
    const same = () =>
      d.value(
        ({ shape }) => String(shape) === String(a.shape),
        () => a.shape,
      );
    return call`tf.addN(${[a, ...Array.from({ length: d.whole(0, 2) }, same)]})`;
  },
  "tf.bitwiseAnd": (d) => {
    const a = d.int(undefined, 0, 9);
    const b = d.value(
      ({ shape }) => String(shape) === String(a.shape),
      () => a.shape,
      "int32",
    );
    return call`tf.bitwiseAnd(${a}, ${b})`;
  },
  "tf.clipByValue": (d) => {
    const low = d.number(-1.5, 0.5);
    return call`tf.clipByValue(${d.any(["float32", "float32", "float32", "int32"])}, ${low}, ${low + d.number(0, 2)})`;
  },
  "tf.leakyRelu": (d) =>
    call`tf.leakyRelu(${d.any(["float32", "float32", "int32"])}, ${d.number(0, 0.5)})`,
  "tf.prelu": (d) => {
    const x = d.float();
    return call`tf.prelu(${x}, ${d.against(x, "float32", { low: 0, high: 0.5 })})`;
  },
  "tf.step": (d) =>
    call`tf.step(${d.any(["float32", "float32", "int32"])}, ${d.one([0, 0, 0.25])})`,
  "tf.where": (d) => {
    const condition = d.bool();
    const a = d.against(condition);
    return call`tf.where(${condition}, ${a}, ${d.against(a)})`;
  },
  "tf.cast": (d) => call`tf.cast(${d.any()}, ${d.one(["float32", "int32", "bool"])})`,
  "tf.clone": (d) => call`tf.clone(${d.any()})`,
};
