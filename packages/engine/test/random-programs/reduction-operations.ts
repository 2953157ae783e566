/** Rows of reductions, running sums, orders and products of matrices. */
import { call, Code, recordCall, type Draw, type DrawnValue } from "./draw.js";
import type { OperationRow } from "./elementwise-operations.js";

/** f(x, axes, keepDims). */
const reduction =
  (name: string, operand: (d: Draw) => DrawnValue): OperationRow =>
  (d) => {
    const x = operand(d);
    return call`tf.${new Code(name)}(${x}, ${d.axes(x)}, ${d.chance(0.4)})`;
  };

const numbers = (d: Draw): DrawnValue =>
  d.any(["float32", "float32", "float32", "float32", "int32", "bool"]);

/** A matrix product's operands: [.., I, K] and [.., K, J], either one transposed, batches broadcast. */
function matrices(d: Draw): {
  a: DrawnValue;
  b: DrawnValue;
  transposeA: boolean;
  transposeB: boolean;
} {
  const [transposeA, transposeB] = [d.chance(0.3), d.chance(0.3)];
  const a = d.value(
    ({ shape }) => shape.length >= 2 && shape.length <= 5,
    () => d.shape(d.one([2, 2, 2, 3, 3, 4, 5])),
  );
  const inner = transposeA ? a.shape.at(-2)! : a.shape.at(-1)!;
  const batch = a.shape.slice(0, -2);
  const sameBatch = d.chance(0.7);
  const wanted = sameBatch ? batch : d.chance(0.5) ? batch.map(() => 1) : [];
  const b = d.value(
    ({ shape }) =>
      shape.length === wanted.length + 2 &&
      shape.at(transposeB ? -1 : -2) === inner &&
      wanted.every((length, i) => length === shape[i]),
    () => {
      const width = d.length();
      return [...wanted, ...(transposeB ? [width, inner] : [inner, width])];
    },
  );
  return { a, b, transposeA, transposeB };
}

export const reductionOperations: Readonly<Record<string, OperationRow>> = {
  "tf.sum": reduction("sum", numbers),
  "tf.mean": reduction("mean", numbers),
  "tf.prod": reduction("prod", (d) => d.any(["float32", "float32", "int32"])),
  "tf.max": reduction("max", numbers),
  "tf.min": reduction("min", numbers),
  "tf.logSumExp": reduction("logSumExp", (d) => d.float()),
  "tf.all": reduction("all", (d) => d.bool()),
  "tf.any": reduction("any", (d) => d.bool()),
  "tf.moments": (d) => {
    const x = d.float();
    return recordCall`tf.moments(${x}, ${d.axes(x)})`;
  },
  "tf.argMax": (d) => {
    const x = numbers(d);
    return call`tf.argMax(${x}, ${d.axis(x)})`;
  },
  "tf.argMin": (d) => {
    const x = numbers(d);
    return call`tf.argMin(${x}, ${d.axis(x)})`;
  },
  "tf.cumsum": (d) => {
    const x = numbers(d);
    return call`tf.cumsum(${x}, ${d.axis(x)}, ${d.chance(0.5)}, ${d.chance(0.5)})`;
  },
  "tf.cumprod": (d) => {
    const x = d.any(["float32", "float32", "int32"]);
    return call`tf.cumprod(${x}, ${d.axis(x)}, ${d.chance(0.5)}, ${d.chance(0.5)})`;
  },
  "tf.topk": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0 && shape.at(-1)! > 0,
      () => d.shape(d.whole(1, 4)),
    );
    return recordCall`tf.topk(${x}, ${d.whole(1, x.shape.at(-1)!)})`;
  },
  "tf.softmax": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0,
      () => d.shape(d.whole(1, 5)),
    );
    return call`tf.softmax(${x})`;
  },
  "tf.logSoftmax": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0,
      () => d.shape(d.whole(1, 5)),
    );
    return call`tf.logSoftmax(${x})`;
  },
  "tf.matMul": (d) => {
    const { a, b, transposeA, transposeB } = matrices(d);
    return call`tf.matMul(${a}, ${b}, ${transposeA}, ${transposeB})`;
  },
  "tf.dot": (d) => {
    const a = d.value(
      ({ shape }) => shape.length === 2,
      () => d.shape(2),
    );
    const b = d.value(
      ({ shape }) => shape.length === 1 && shape[0] === a.shape[1],
      () => [a.shape[1]!],
    );
    return call`tf.dot(${a}, ${b})`;
  },
  "tf.fused.matMul": (d) => {
    const { a, b, transposeA, transposeB } = matrices(d);
    const width = transposeB ? b.shape.at(-2)! : b.shape.at(-1)!;
    const bias = d.value(
      ({ shape }) => shape.length === 1 && shape[0] === width,
      () => [width],
    );
    const activation = d.one(["linear", "relu", "elu", "relu6", "sigmoid"]);
    return call`tf.fused.matMul({ a: ${a}, b: ${b}, transposeA: ${transposeA}, transposeB: ${transposeB}, bias: ${bias}, activation: ${activation} })`;
  },
  "tf.einsum": (d) => {
    const a = d.value(
      ({ shape }) => shape.length === 3,
      () => d.shape(3),
    );
    const equations: readonly [string, (k: readonly number[]) => number[]][] = [
      ["bij,jk->bik", ([, , j]) => [j!, d.whole(1, 4)]],
      ["bij,bjk->bik", ([b, , j]) => [b!, j!, d.whole(1, 4)]],
      ["bij,bi->bj", ([b, i]) => [b!, i!]],
      ["bij,kj->ikb", ([, , j]) => [d.whole(1, 4), j!]],
    ];
    const [equation, shapeOf] = d.one(equations);
    const wanted = shapeOf(a.shape);
    return call`tf.einsum(${equation}, ${a}, ${d.value(
      ({ shape }) => String(shape) === String(wanted),
      () => wanted,
    )})`;
  },
  "tf.bincount": (d) => {
    const x = d.input([d.whole(1, 8)], { low: 0, high: 6 }, "int32");
    return d.chance(0.5)
      ? call`tf.bincount(${x}, tf.tensor1d([]), ${d.whole(3, 7)})`
      : call`tf.bincount(${x}, ${d.value(
          ({ shape }) => String(shape) === String(x.shape),
          () => x.shape,
        )}, ${d.whole(3, 7)})`;
  },
  "tf.denseBincount": (d) => {
    const x = d.input([d.whole(1, 3), d.whole(1, 6)], { low: 0, high: 6 }, "int32");
    const weights = d.value(
      ({ shape }) => String(shape) === String(x.shape),
      () => x.shape,
    );
    return call`tf.denseBincount(${x}, ${weights}, ${d.whole(3, 7)}, ${d.chance(0.5)})`;
  },
  "tf.searchSorted": (d) => {
    const x = d.value(
      ({ shape }) => shape.length === 2 && sizeOfRow(shape) < 10,
      () => d.shape(2),
    );
    const values = d.value(
      ({ shape }) => shape.length === 2 && shape[0] === x.shape[0],
      () => [x.shape[0]!, d.whole(1, 4)],
    );
    return call`tf.searchSorted(tf.cumsum(tf.abs(${x}), 1), ${values}, ${d.one(["left", "right"])})`;
  },
};

const sizeOfRow = (shape: readonly number[]): number => shape[1] ?? 0;
