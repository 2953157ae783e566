/** What a row of the lowering table is. */
import type { NamedTensorInfoMap } from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import type { GraphNode, Value } from "../graph/graph.js";

/** The operands of a kernel by tfjs's names; in lists the values themselves, in order. */
export type Operands = Readonly<Record<string, Value | undefined>>;

/** Turns one recorded kernel into ONNX operations: operands and attributes in, results out. */
export type Lowering = (
  operands: Operands,
  attributes: Readonly<Record<string, unknown>>,
  g: GraphBuilder,
) => Value | readonly Value[];

/** A kernel without a lowering, and what the caller can do instead. */
export interface Refusal {
  readonly wayOut: string;
}

export type Row = Lowering | Refusal;

type OperandsOf<Inputs> = Inputs extends readonly unknown[]
  ? Readonly<Record<string, Value>>
  : { readonly [Name in keyof Inputs]-?: Value };

/** A row typed by tfjs-core's own declaration of the kernel's inputs and attributes. */
export const kernel =
  <Inputs extends NamedTensorInfoMap | readonly unknown[], Attributes = unknown>(
    lower: (
      operands: OperandsOf<Inputs>,
      attributes: Readonly<Attributes>,
      g: GraphBuilder,
    ) => Value | readonly Value[],
  ): Lowering =>
  (operands, attributes, g) =>
    lower(operands as OperandsOf<Inputs>, attributes as Attributes, g);

/** y = f(x), element by element. */
export const unary = (lower: (x: Value, g: GraphBuilder) => Value): Lowering =>
  kernel<Record<"x", never>>(({ x }, _none, g) => lower(x, g));

/** y = f(a, b), element by element with broadcasting. */
export const binary = (lower: (a: Value, b: Value, g: GraphBuilder) => Value): Lowering =>
  kernel<Record<"a" | "b", never>>(({ a, b }, _none, g) => lower(a, b, g));

/** A row that refuses; `wayOut` completes "...; " in the error. */
export const refuse = (wayOut: string): Refusal => ({ wayOut });

/** The operands of a recorded node by name. */
export const operandsOf = ({ inputNames, inputs }: GraphNode): Operands =>
  Object.fromEntries(inputs.map((value, i) => [inputNames?.[i] ?? String(i), value]));
