/** Attributes of TensorFlow nodes in the form of the message AttrValue. */
import type { DType, Literal, Shape } from "../graph/graph.js";
import { bytesOf } from "../graph/literal-bytes.js";
import { dataType } from "./saved-model-messages.js";

/** One kind of value. Zero, false and the empty list are written out too: none of them is a default. */
export type Attribute =
  | { readonly type: number }
  | { readonly i: number }
  | { readonly f: number }
  | { readonly b: boolean }
  | { readonly s: Uint8Array }
  | { readonly shape: object }
  | { readonly list: { readonly i: readonly number[] } }
  | { readonly tensor: object };

export type TensorFlowType = keyof typeof dataType;

const text = new TextEncoder();

export const attribute = {
  type: (dtype: TensorFlowType): Attribute => ({ type: dataType[dtype] }),
  int: (i: number): Attribute => ({ i }),
  float: (f: number): Attribute => ({ f }),
  bool: (b: boolean): Attribute => ({ b }),
  string: (s: string): Attribute => ({ s: text.encode(s) }),
  ints: (i: readonly number[]): Attribute => ({ list: { i } }),
  shape: (shape: Shape): Attribute => ({ shape: shapeMessage(shape) }),
  tensor: (literal: Literal, shape: Shape, dtype: DType): Attribute => ({
    tensor: {
      dtype: dataType[dtype],
      tensorShape: shapeMessage(shape),
      ...elements(literal, shape, dtype),
    },
  }),
};

const shapeMessage = (shape: Shape) => ({ dim: shape.map((size) => ({ size })) });

const oneNumber = {
  float32: "floatVal",
  float64: "doubleVal",
  int32: "intVal",
  int64: "int64Val",
  bfloat16: "halfVal",
  bool: "boolVal",
} as const;

/** A single number fills the whole shape. */
const elements = (literal: Literal, shape: Shape, dtype: DType) =>
  "uniform" in literal
    ? { [oneNumber[dtype]]: [dtype === "bool" ? literal.uniform !== 0 : literal.uniform] }
    : { tensorContent: bytesOf(literal, shape, dtype) };
