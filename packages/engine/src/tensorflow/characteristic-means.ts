/** Means of cosines and sines at SIGReg's knots, and their gradient: the lists of @lejepa/ops, with what is between the
 *  products of matrices made one loop by XLA. Value and gradient of SIGReg with 17 knots on two cores, as composed of
 *  TensorFlow's operations and so: 19.4 and 7.9 ms for 2,048 rows of 512 samples, 2.8 and 1.5 for 1,024 of 128. */
import {
  harmonicProducts,
  type CharacteristicMeansAttrs,
  type CharacteristicMeansGradInputs,
  type CharacteristicMeansInputs,
  type HarmonicProducts,
} from "@lejepa/ops";
import type { GraphBuilder } from "../graph/builder.js";
import type { Shape, Value } from "../graph/graph.js";
import { kernel } from "../kernels/kernel.js";
import { attribute, type Attribute } from "./attribute.js";
import { tensorflow } from "./operators.js";

/** Up to how many products XLA compiles the loops. It takes 0.3 s for the 35 of 17 knots and 0.9 s for the 143 of 65. */
const mostProductsCompiled = 64;

/** Samples of a block of rows. Loops that XLA made are as fast on any number; a block bounds the memory of its lists, 48
 *  bytes a sample. Without XLA what is computed of a block should stay in a processor's own cache. */
const samplesInBlock = { compiled: 2 ** 20, apart: 2 ** 15 };

/** Above, blocks grow: each one is compiled. */
const mostBlocksCompiled = 8;

/** How one kernel writes the operations between products. */
interface Loops {
  readonly g: GraphBuilder;
  readonly way: "compiled" | "apart";
  /** An operation of TensorFlow's. */
  readonly write: (
    op: string,
    inputs: readonly Value[],
    shape: Shape,
    attributes?: Readonly<Record<string, Attribute>>,
  ) => Value;
  /** Attributes of operations that are written elsewhere. */
  readonly marks: Readonly<Record<string, Attribute>>;
}

/** @param scope Keeps apart what the two kernels share but for the products between them. */
function loops(g: GraphBuilder, { count }: HarmonicProducts, scope: string): Loops {
  const way = count <= mostProductsCompiled ? "compiled" : "apart";
  const marks =
    way === "compiled"
      ? { _XlaCompile: attribute.bool(true), _XlaScope: attribute.string(scope) }
      : {};
  return {
    g,
    way,
    marks,
    write: (op, inputs, shape, attributes = {}) =>
      g.op(op, inputs, shape, "float32", { ...marks, ...attributes }, tensorflow),
  };
}

/** cos and sin of a multiple of the angles, [R, N]. */
interface Rotation {
  readonly cos: Value;
  readonly sin: Value;
}

/** Of the angles themselves. Both kernels have it, computed once, and XLA is not asked: it would compute a cosine again
 *  wherever it is read. */
function rotationBy(g: GraphBuilder, x: Value, step: number): Rotation {
  const angle = g.mul(x, g.uniform(step));
  return { cos: g.unary("Cos", angle), sin: g.unary("Sin", angle) };
}

/** Element by element; the first operand has the result's shape. */
const mul = ({ write }: Loops, a: Value, b: Value): Value => write("Mul", [a, b], a.shape);
const sub = ({ write }: Loops, a: Value, b: Value): Value => write("Sub", [a, b], a.shape);

const sumOfAngles = (l: Loops, a: Rotation, b: Rotation): Rotation => ({
  cos: sub(l, mul(l, a.cos, b.cos), mul(l, a.sin, b.sin)),
  sin: l.write("AddV2", [mul(l, a.sin, b.cos), mul(l, a.cos, b.sin)], a.sin.shape),
});

/** cos 2a = 1 - 2 sin^2 a and sin 2a = 2 sin a cos a. */
function twice(l: Loops, { cos, sin }: Rotation): Rotation {
  const doubled = mul(l, sin, l.g.uniform(2));
  return {
    cos: l.write("Sub", [l.g.uniform(1), mul(l, doubled, sin)], sin.shape),
    sin: mul(l, doubled, cos),
  };
}

/** Rotations by 1, 2, .. `count` times the angle, by sums of angles as in @lejepa/ops. */
function multiples(l: Loops, once: Rotation, count: number): Rotation[] {
  const list = [once];
  for (let i = 2; i <= count; i++) {
    const half = list[i / 2 - 1];
    list.push(half === undefined ? sumOfAngles(l, list[i - 2]!, once) : twice(l, half));
  }
  return list;
}

/** The fine and the coarse list, each without the ones in front. */
function listsOf(l: Loops, once: Rotation, { fine, coarse }: HarmonicProducts) {
  const flat = (list: readonly Rotation[]) => list.flatMap(({ cos, sin }) => [cos, sin]);
  const rotations = multiples(l, once, fine);
  if (coarse === 0) return { fine: flat(rotations), coarse: [] };
  const stride = sumOfAngles(l, twice(l, rotations[fine - 1]!), once);
  return { fine: flat(rotations), coarse: flat(multiples(l, stride, coarse)) };
}

/** 1 and the values of a list as one tensor, [R, P, N]. */
function stacked(l: Loops, { cos }: Rotation, list: readonly Value[]): Value {
  // A constant of ones would be as large as the samples are many.
  const one = l.write("ClipByValue", [cos, l.g.uniform(1), l.g.uniform(1)], cos.shape);
  const parts = [one, ...list];
  const [rows, samples] = cos.shape as [number, number];
  const attributes = { N: attribute.int(parts.length), axis: attribute.int(1) };
  return l.write("Pack", parts, [rows, parts.length, samples], attributes);
}

/** Tensors cut into the same blocks of rows, for `samples` samples in a row. */
function inBlocks(
  { g, way }: Loops,
  tensors: readonly Value[],
  samples: number,
): readonly (readonly Value[])[] {
  const rows = tensors[0]!.shape[0]!;
  const fewest = way === "compiled" ? Math.ceil(rows / mostBlocksCompiled) : 1;
  const atATime = Math.max(fewest, Math.floor(samplesInBlock[way] / samples), 1);
  const count = Math.ceil(rows / atATime);
  if (count <= 1) return [tensors];
  const sizes = Array.from({ length: count }, (_, i) => Math.min(atATime, rows - i * atATime));
  const parts = tensors.map((tensor) => g.split(tensor, sizes, 0));
  return sizes.map((_, i) => parts.map((part) => part[i]!));
}

const joined = (g: GraphBuilder, blocks: readonly Value[]): Value =>
  blocks.length === 1 ? blocks[0]! : g.concat(blocks, 0);

/** The bilinear form `form` [R, count] in the two lists: [R, N]. */
function formOf(l: Loops, once: Rotation, products: HarmonicProducts, form: Value): Value {
  const { g } = l;
  const [rows, samples] = once.cos.shape as [number, number];
  const { fine, coarse } = listsOf(l, once, products);
  const shape = [rows, 1 + fine.length, 1 + coarse.length];
  const factors = g.matMul(g.reshape(form, shape), stacked(l, once, coarse)); // [R, 2 F + 1, N]
  const terms = g.mul(factors, stacked(l, once, fine));
  return g.reshape(g.reduce("ReduceSum", terms, [1], "drop"), [rows, samples]);
}

/** The same for a form whose coefficients are those of {@link subtracted}, term by term. */
function loopOfForm(l: Loops, once: Rotation, products: HarmonicProducts, form: Value): Value {
  const rows = once.cos.shape[0]!;
  const { count } = products;
  const coefficients = l.g.opMany(
    "Unpack",
    [l.g.reshape(form, [rows, count, 1])],
    Array.from({ length: count }, () => [[rows, 1], "float32"] as const),
    { ...l.marks, num: attribute.int(count), axis: attribute.int(1) },
    tensorflow,
  );
  const { fine, coarse } = listsOf(l, once, products);
  const difference = (terms: readonly Value[]): Value => terms.reduce((a, b) => sub(l, a, b));
  const times = (left: readonly Value[], right: (j: number) => Value) =>
    left.map((each, j) => mul(l, each, right(j)));
  const columns = 1 + coarse.length;
  // The lists' ones stand last here: the first term has to have the result's shape.
  const rowsOfForm = [...fine.keys()].map((i) =>
    difference([
      ...times(coarse, (j) => coefficients[(i + 1) * columns + j + 1]!),
      coefficients[(i + 1) * columns]!,
    ]),
  );
  const ofOne = times(coarse, (j) => coefficients[j + 1]!);
  return difference([...times(fine, (i) => rowsOfForm[i]!), ...ofOne]);
}

/** A matrix [.., count] of coefficients of products as {@link loopOfForm} takes them: with the sign that makes a sum of
 *  terms a difference, and without that of 1 times 1, which is 0. TensorFlow gathers sums into operations of its own
 *  before XLA sees them, differences not. */
function subtracted(matrix: Float32Array, { count, coarse }: HarmonicProducts): Float32Array {
  const columns = 2 * coarse + 1;
  return matrix.map((value, at) => {
    const [i, j] = [Math.floor((at % count) / columns), at % columns];
    const isFirstRow = i === 1;
    const isFirstInRow = i > 0 && j === (coarse === 0 ? 0 : 1);
    return (isFirstRow ? 1 : -1) * (i === 0 || isFirstInRow ? 1 : -1) * value;
  });
}

/** The rows of the lowering table. */
export const characteristicMeansRows = {
  LejepaCharacteristicMeans: kernel<
    Record<keyof CharacteristicMeansInputs, never>,
    CharacteristicMeansAttrs
  >(({ x }, { step, harmonics }, g) => {
    const samples = x.shape[1]!;
    const products = harmonicProducts({ step, harmonics }, samples);
    const l = loops(g, products, "means");
    const toMeans = g.dense(products.toMeans, [products.count, 2 * harmonics.length], "float32");
    const blocks = inBlocks(l, [x], samples).map(([rows]) => {
      const once = rotationBy(g, rows!, step);
      const { fine, coarse } = listsOf(l, once, products);
      const sums = g.matMul(stacked(l, once, fine), stacked(l, once, coarse), 0, 1);
      return g.gemm(g.reshape(sums, [rows!.shape[0]!, products.count]), toMeans);
    });
    return joined(g, blocks);
  }),
  LejepaCharacteristicMeansGrad: kernel<
    Record<keyof CharacteristicMeansGradInputs, never>,
    CharacteristicMeansAttrs
  >(({ x, dy }, { step, harmonics }, g) => {
    const samples = x.shape[1]!;
    const products = harmonicProducts({ step, harmonics }, samples);
    const l = loops(g, products, "gradient");
    const [matrix, compute] =
      l.way === "compiled"
        ? ([subtracted(products.toForm, products), loopOfForm] as const)
        : ([products.toForm, formOf] as const);
    const toForm = g.dense(matrix, [2 * harmonics.length, products.count], "float32");
    const blocks = inBlocks(l, [x, dy], samples).map(([rows, dyRows]) =>
      compute(l, rotationBy(g, rows!, step), products, g.gemm(dyRows!, toForm)),
    );
    return joined(g, blocks);
  }),
};
