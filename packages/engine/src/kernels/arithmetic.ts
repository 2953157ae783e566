/** Element-by-element arithmetic on two operands, with broadcasting. */
import type { BinaryInputs } from "@tensorflow/tfjs-core";
import type { Value } from "../graph/graph.js";
import { binary, kernel } from "./kernel.js";

export const arithmetic = {
  Add: binary((a, b, g) => g.add(a, b)),
  Sub: binary((a, b, g) => g.sub(a, b)),
  Multiply: binary((a, b, g) => (a.dtype === "bool" ? g.binary("And", a, b) : g.mul(a, b))),
  RealDiv: binary((a, b, g) => g.div(a, b)),
  // ONNX divides whole numbers towards zero, tfjs towards minus infinity; float64 holds every int32 exactly.
  // The quotient is int32 in tfjs, that of two float32 too.
  FloorDiv: binary((a, b, g) => {
    const quotient =
      a.dtype === "int32" ? g.div(g.cast(a, "float64"), g.cast(b, "float64")) : g.div(a, b);
    return g.toInt32(g.unary("Floor", quotient));
  }),
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
  // The angle of (|x|, |y|), mirrored into the quarter that the signs tell, those of zeros too.
  Atan2: binary((y, x, g) => {
    const [zero, one] = [g.uniform(0), g.uniform(1)];
    const isNegative = (v: Value): Value =>
      g.binary(
        "Or",
        g.compare("Less", v, zero),
        g.binary("And", g.compare("Equal", v, zero), g.compare("Less", g.div(one, v), zero)),
      );
    const both = (test: (v: Value) => Value): Value => g.binary("And", test(y), test(x));
    const diagonal = both((v) => g.op("IsInf", [v], v.shape, "bool"));
    const origin = both((v) => g.compare("Equal", v, zero));
    const ratio = g.div(g.unary("Abs", y), g.unary("Abs", x));
    const angle = g.unary("Atan", g.where(diagonal, one, g.where(origin, zero, ratio)));
    const turned = g.where(isNegative(x), g.sub(g.uniform(Math.PI), angle), angle);
    return g.where(isNegative(y), g.unary("Neg", turned), turned);
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
