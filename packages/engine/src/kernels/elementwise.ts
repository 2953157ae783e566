/** y = f(x), element by element. */
import type {
  CastAttrs,
  CastInputs,
  ClipByValueAttrs,
  ClipByValueInputs,
  EluGradInputs,
  LeakyReluAttrs,
  LeakyReluInputs,
  LogicalNotInputs,
  PreluInputs,
  SelectInputs,
  StepAttrs,
  StepInputs,
} from "@tensorflow/tfjs-core";
import { float, type GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { elu } from "./fused-activation.js";
import { kernel, refuse, unary } from "./kernel.js";

/** The operator of the same meaning. */
const same = (op: string) => unary((x, g) => g.unary(op, x));
/** f(x), computed with doubles. */
const inDouble = (x: Value, g: GraphBuilder, f: (wide: Value) => Value): Value =>
  g.cast(f(g.cast(x, "float64")), "float32");
const test = (op: string) => unary((x, g) => g.op(op, [x], x.shape, "bool"));

export const elementwise = {
  Abs: same("Abs"),
  Acos: same("Acos"),
  Acosh: same("Acosh"),
  Asin: same("Asin"),
  Asinh: same("Asinh"),
  Atan: same("Atan"),
  Atanh: same("Atanh"),
  Ceil: same("Ceil"),
  Cos: same("Cos"),
  Cosh: same("Cosh"),
  Erf: same("Erf"),
  // Whole numbers are small and their powers large: in float32 the last digit would be off.
  Exp: unary((x, g) =>
    x.dtype === "float32" ? g.unary("Exp", x) : inDouble(x, g, (wide) => g.unary("Exp", wide)),
  ),
  // exp(x) - 1 = 2 t / (1 - t) with t = tanh(x / 2), which keeps its digits near 0.
  Expm1: unary((x, g) => {
    const t = g.unary("Tanh", g.mul(x, g.uniform(0.5)));
    const near = g.div(g.mul(t, g.uniform(2)), g.sub(g.uniform(1), t));
    const far = g.sub(g.unary("Exp", x), g.uniform(1));
    return g.where(g.compare("Less", g.unary("Abs", x), g.uniform(1)), near, far);
  }),
  Floor: same("Floor"),
  Log: same("Log"),
  // log(1 + x) = 2 atanh(x / (2 + x)), which keeps its digits near 0.
  Log1p: unary((x, g) => {
    const near = g.mul(g.unary("Atanh", g.div(x, g.add(x, g.uniform(2)))), g.uniform(2));
    const far = g.unary("Log", g.add(x, g.uniform(1)));
    return g.where(g.compare("Less", g.unary("Abs", x), g.uniform(0.5)), near, far);
  }),
  Neg: same("Neg"),
  Reciprocal: same("Reciprocal"),
  Round: unary((x, g) => g.unary(x.dtype === "float32" ? "Round" : "Identity", x)),
  Rsqrt: unary((x, g) => g.unary("Reciprocal", g.unary("Sqrt", x))),
  // tfjs gives NaN the sign 0.
  Sign: unary((x, g) => {
    if (x.dtype !== "float32") return g.unary("Sign", x);
    return g.where(g.op("IsNaN", [x], x.shape, "bool"), g.number(0, x), g.unary("Sign", x));
  }),
  Sin: same("Sin"),
  Sinh: same("Sinh"),
  Sqrt: same("Sqrt"),
  Square: unary((x, g) => g.mul(x, x)),
  // sin x / cos x with cos x = 1 - 2 sin^2(x / 2): onnxruntime has only the sine of doubles, and its tangent of a large
  // float32 is off in the last digit.
  Tan: unary((x, g) =>
    inDouble(x, g, (wide) => {
      const number = (value: number) => g.number(value, wide);
      const half = g.unary("Sin", g.mul(wide, number(0.5)));
      const cosine = g.sub(number(1), g.mul(g.mul(half, half), number(2)));
      return g.div(g.unary("Sin", wide), cosine);
    }),
  ),
  Tanh: same("Tanh"),
  IsFinite: unary((x, g) =>
    g.unary(
      "Not",
      g.binary("Or", g.op("IsInf", [x], x.shape, "bool"), g.op("IsNaN", [x], x.shape, "bool")),
    ),
  ),
  IsInf: test("IsInf"),
  IsNan: test("IsNaN"),
  LogicalNot: kernel<LogicalNotInputs>(({ x }, _none, g) => g.unary("Not", x)),
  Identity: same("Identity"),
  Cast: kernel<CastInputs, CastAttrs>(({ x }, { dtype }, g) => {
    // tfjs and ONNX agree: to whole numbers by dropping the fraction, to bool by "is not zero".
    if (dtype === "string" || dtype === "complex64")
      throw new Error(`There is no cast to ${dtype}.`);
    return x.dtype === dtype ? g.unary("Identity", x) : g.cast(x, dtype);
  }),
  ClipByValue: kernel<ClipByValueInputs, ClipByValueAttrs>(
    ({ x }, { clipValueMin, clipValueMax }, g) =>
      g.op("Clip", [x, g.number(clipValueMin, x), g.number(clipValueMax, x)], x.shape, x.dtype),
  ),
  Select: kernel<SelectInputs>(({ condition, t, e }, _none, g) => {
    // tf.where broadcasts first; the old meaning of a vector, one choice for each row, does not reach here.
    if (condition.shape.length !== t.shape.length)
      throw new Error("The condition and the values should have the same rank.");
    return g.where(condition, t, e);
  }),
};

/** The largest finite float32. */
const largestFloat = 3.4028234663852886e38;

export const activation = {
  Elu: unary((x, g) => elu(g, x)),
  // y' of elu is y + 1 below zero.
  EluGrad: kernel<EluGradInputs>(({ dy, y }, _none, g) =>
    g.where(g.compare("GreaterOrEqual", y, g.uniform(0)), dy, g.mul(dy, g.add(y, g.uniform(1)))),
  ),
  LeakyRelu: kernel<LeakyReluInputs, LeakyReluAttrs>(({ x }, { alpha }, g) =>
    g.unary("LeakyRelu", g.cast(x, "float32"), { alpha: float(alpha) }),
  ),
  Prelu: kernel<PreluInputs>((operands, _none, g) => {
    const [x, alpha] = [g.cast(operands.x, "float32"), g.cast(operands.alpha, "float32")];
    return g.where(g.compare("Less", x, g.uniform(0)), g.mul(x, alpha), x);
  }),
  Relu: same("Relu"),
  Relu6: unary((x, g) => g.op("Clip", [x, g.number(0, x), g.number(6, x)], x.shape, x.dtype)),
  Selu: unary((x, g) => g.mul(elu(g, x, 1.6732632423543772), g.uniform(1.0507009873554805))),
  Sigmoid: same("Sigmoid"),
  Softplus: same("Softplus"),
  Step: kernel<StepInputs, StepAttrs>(({ x }, { alpha }, g) => {
    // max(0, min(1, x largest)) is 0 up to 0 and 1 from the smallest normal number on; a comparison and a cast took
    // 2.6 ms on the mask of a convolution where this takes 0.9.
    if (alpha === 0 && x.dtype === "float32")
      return g.unary("HardSigmoid", x, { alpha: float(largestFloat), beta: float(0) });
    const positive = g.compare("Greater", x, g.number(0, x));
    const y = g.where(positive, g.number(1, x), g.number(alpha, x));
    return x.dtype === "float32" ? g.where(g.op("IsNaN", [x], x.shape, "bool"), x, y) : y;
  }),
  Draw: refuse("drawing on a canvas belongs outside the step"),
};
