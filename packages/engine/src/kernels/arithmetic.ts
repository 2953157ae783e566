/** Element-by-element arithmetic on two operands, with broadcasting. */
import type { BinaryInputs } from "@tensorflow/tfjs-core";
import { broadcastShapes } from "../onnx/builder.js";
import { binary, kernel } from "./kernel.js";

export const arithmetic = {
  Add: binary((a, b, g) => g.add(a, b)),
  Sub: binary((a, b, g) => g.sub(a, b)),
  Multiply: binary((a, b, g) => (a.dtype === "bool" ? g.binary("And", a, b) : g.mul(a, b))),
  RealDiv: binary((a, b, g) => g.div(a, b)),
  // ONNX divides whole numbers towards zero, tfjs towards minus infinity; float64 holds every int32 exactly.
  FloorDiv: binary((a, b, g) =>
    a.dtype === "int32"
      ? g.toInt32(g.unary("Floor", g.div(g.cast(a, "float64"), g.cast(b, "float64"))))
      : g.unary("Floor", g.div(a, b)),
  ),
  // The remainder takes the divisor's sign. ONNX has that for whole numbers only.
  Mod: binary((a, b, g) => {
    // By 0 or -1 the remainder is 0 in tfjs; onnxruntime's division of whole numbers by those may end the process.
    if (a.dtype === "int32") {
      const [zero, minus] = [g.number(0, b), g.number(-1, b)];
      const trivial = g.binary("Or", g.compare("Equal", b, zero), g.compare("Equal", b, minus));
      return g.binary("Mod", a, g.where(trivial, g.number(1, b), b));
    }
    const fmod = { fmod: 1 };
    const remainder = g.binary("Mod", a, b, a.dtype, fmod);
    const zero = g.number(0, a);
    const sameSign = g.binary(
      "Equal",
      g.compare("Less", a, zero),
      g.compare("Less", b, zero),
      "bool",
    );
    return g.where(sameSign, remainder, g.binary("Mod", g.add(remainder, b), b, a.dtype, fmod));
  }),
  Maximum: binary((a, b, g) => g.binary("Max", a, b)),
  Minimum: binary((a, b, g) => g.binary("Min", a, b)),
  Pow: binary((a, b, g) =>
    a.dtype === "int32" && b.dtype === "int32"
      ? g.toInt32(g.binary("Pow", g.cast(a, "float64"), g.cast(b, "float64")))
      : g.binary("Pow", a, b),
  ),
  SquaredDifference: binary((a, b, g) => {
    const difference = g.sub(a, b);
    return g.mul(difference, difference);
  }),
  // atan(y / x), turned by half a circle where x < 0; x = 0 looks straight up or down.
  Atan2: binary((y, x, g) => {
    const zero = g.uniform(0);
    const shape = broadcastShapes(y.shape, x.shape);
    const half = (sign: number) => g.uniform(sign * Math.PI);
    const below = g.compare("Less", y, zero);
    const turn = g.where(g.compare("Less", x, zero), g.where(below, half(-1), half(1)), zero);
    const up = g.where(g.compare("Greater", y, zero), g.uniform(Math.PI / 2), zero);
    const straight = g.where(below, g.uniform(-Math.PI / 2), up);
    const angle = g.add(g.unary("Atan", g.div(y, x)), turn);
    return g.where(g.compare("Equal", g.expand(x, shape), zero), straight, angle);
  }),
  AddN: kernel<readonly unknown[]>((terms, _none, g) =>
    Object.values(terms).reduce((sum, term) => g.add(sum, term)),
  ),
  BitwiseAnd: binary((a, b, g) => g.binary("BitwiseAnd", a, b)),
};

/** A comparison by order, in which false is 0 and true is 1. */
const ordered = (op: "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual") =>
  binary((a, b, g) =>
    a.dtype === "bool"
      ? g.compare(op, g.cast(a, "int32"), g.cast(b, "int32"))
      : g.compare(op, a, b),
  );

export const comparison = {
  Equal: binary((a, b, g) => g.compare("Equal", a, b)),
  NotEqual: binary((a, b, g) => g.unary("Not", g.compare("Equal", a, b))),
  Greater: ordered("Greater"),
  GreaterEqual: ordered("GreaterOrEqual"),
  Less: ordered("Less"),
  LessEqual: ordered("LessOrEqual"),
  LogicalAnd: kernel<BinaryInputs>(({ a, b }, _none, g) => g.binary("And", a, b)),
  LogicalOr: kernel<BinaryInputs>(({ a, b }, _none, g) => g.binary("Or", a, b)),
  LogicalXor: kernel<BinaryInputs>(({ a, b }, _none, g) => g.binary("Xor", a, b)),
};
