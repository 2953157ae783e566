/** Gradients of the tfjs kernels that the adapter calls, for programs that load `@tensorflow/tfjs-core` alone.
 *
 *  The file of tfjs-core that registers its gradients cannot be imported in Node (its imports have no extensions);
 *  the union package `@tensorflow/tfjs` brings them. Rules that are registered already are left as they are. */
import * as tf from "@tensorflow/tfjs-core";

/** From dy, the gradient of each input by its kernel's name for it; a list for kernels that take a list. */
type Pullback = (
  dy: tf.Tensor,
  saved: readonly tf.Tensor[],
  attributes: Attributes,
) => GradientsByInput;
type GradientsByInput = Record<string, () => tf.Tensor>;
type Attributes = Readonly<Record<string, unknown>>;

interface Rule {
  /** Inputs (by name, or all of a list) and output to keep for the pullback, in this order. */
  readonly keep: readonly string[] | "all";
  readonly keepOutput?: true;
  readonly pullback: Pullback;
}

/** Registers the rules that are missing. */
export function registerMissingGradients(): void {
  for (const [kernelName, { keep, keepOutput, pullback }] of Object.entries(rules)) {
    if (tf.getGradient(kernelName) !== undefined) continue;
    tf.registerGradient({
      kernelName,
      ...(keep === "all" ? { saveAllInputs: true } : { inputsToSave: [...keep] }),
      ...(keepOutput ? { outputsToSave: [true] } : {}),
      gradFunc: (dy, saved, attributes) => pullback(dy as tf.Tensor, saved, attributes),
    });
  }
}

/** A kernel of two operands that broadcast. */
const binary = (
  byA: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  byB: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
): Rule => ({
  keep: ["a", "b"],
  pullback: (dy, [a, b]) => ({
    a: () => sumTo(byA(dy, a!, b!), a!.shape),
    b: () => sumTo(byB(dy, a!, b!), b!.shape),
  }),
});

/** A kernel of one operand, differentiated at x. */
const atInput = (
  derivative: (dy: tf.Tensor, x: tf.Tensor, attributes: Attributes) => tf.Tensor,
): Rule => ({
  keep: ["x"],
  pullback: (dy, [x], attributes) => ({ x: () => derivative(dy, x!, attributes) }),
});

/** A kernel of one operand, differentiated with the help of its result. */
const atOutput = (derivative: (dy: tf.Tensor, y: tf.Tensor) => tf.Tensor): Rule => ({
  keep: [],
  keepOutput: true,
  pullback: (dy, [y]) => ({ x: () => derivative(dy, y!) }),
});

/** max and min: dy goes to every entry that equals the result. */
const extreme: Rule = {
  keep: ["x"],
  keepOutput: true,
  pullback: (dy, [x, y], attributes) => ({
    x: () => {
      // Max calls its axes reductionIndices, Min calls them axis.
      const kept = keptShape(x!.shape, attributes["reductionIndices"] ?? attributes["axis"]);
      return tf.mul(tf.reshape(dy, kept), asFloat(tf.equal(x!, tf.reshape(y!, kept))));
    },
  }),
};

const rules: Readonly<Record<string, Rule>> = {
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
    (dy, a, b) => tf.mul(dy, asFloat(tf.greaterEqual(a, b))),
    (dy, a, b) => tf.mul(dy, asFloat(tf.less(a, b))),
  ),
  Minimum: binary(
    (dy, a, b) => tf.mul(dy, asFloat(tf.lessEqual(a, b))),
    (dy, a, b) => tf.mul(dy, asFloat(tf.greater(a, b))),
  ),

  Neg: atInput((dy) => tf.neg(dy)),
  Abs: atInput((dy, x) => tf.mul(dy, tf.sign(x))),
  Square: atInput((dy, x) => tf.mul(dy, tf.mul(x, 2))),
  Exp: atOutput((dy, y) => tf.mul(dy, y)),
  Log: atInput((dy, x) => tf.div(dy, x)),
  Sqrt: atOutput((dy, y) => tf.div(dy, tf.mul(y, 2))),
  Sin: atInput((dy, x) => tf.mul(dy, tf.cos(x))),
  Cos: atInput((dy, x) => tf.neg(tf.mul(dy, tf.sin(x)))),
  Tanh: atOutput((dy, y) => tf.mul(dy, tf.sub(1, tf.square(y)))),
  Identity: atInput((dy) => tf.clone(dy)),

  Sum: atInput((dy, x, { axis }) =>
    tf.broadcastTo(tf.reshape(dy, keptShape(x.shape, axis)), x.shape),
  ),
  Mean: atInput((dy, x, { axis }) => {
    const kept = keptShape(x.shape, axis);
    const share = kept.reduce((product, size) => product * size, 1) / x.size;
    return tf.broadcastTo(tf.reshape(tf.mul(dy, share), kept), x.shape);
  }),
  Max: extreme,
  Min: extreme,

  BatchMatMul: {
    keep: ["a", "b"],
    pullback: (dy, [a, b], { transposeA, transposeB }) => {
      const [ta, tb] = [Boolean(transposeA), Boolean(transposeB)];
      return {
        a: () => (ta ? tf.matMul(b!, dy, tb, true) : tf.matMul(dy, b!, false, !tb)),
        b: () => (tb ? tf.matMul(dy, a!, true, ta) : tf.matMul(a!, dy, !ta, false)),
      };
    },
  },
  Reshape: atInput((dy, x) => tf.reshape(dy, x.shape)),
  Transpose: atInput((dy, _x, { perm }) => {
    const order = perm as number[];
    return tf.transpose(
      dy,
      order.map((_, axis) => order.indexOf(axis)),
    );
  }),
  Slice: atInput((dy, x, { begin }) =>
    tf.pad(
      dy,
      x.shape.map((whole, i): [number, number] => {
        const before = (begin as number[])[i]!;
        return [before, whole - before - dy.shape[i]!];
      }),
    ),
  ),
  Tile: atInput((dy, x, { reps }) => {
    // Each axis becomes (repetition, entry), and the repetitions are summed away.
    const split = x.shape.flatMap((size, i) => [(reps as number[])[i]!, size]);
    return tf.sum(
      tf.reshape(dy, split),
      x.shape.map((_, i) => 2 * i),
    );
  }),
  Concat: {
    keep: "all",
    pullback: (dy, saved, attributes) => {
      const axis = tf.util.parseAxisParam(attributes["axis"] as number, saved[0]!.shape)[0]!;
      const parts = tf.split(
        dy,
        saved.map((x) => x.shape[axis]!),
        axis,
      );
      return Object.fromEntries(parts.map((part, i) => [i, () => part]));
    },
  },
};

/** Adds row i of x, [R, ...], to row targets[i] of a tensor of zeros, [count, ...].
 *  (unsortedSegmentSum does the same, but not on the wasm backend.) */
export function sumIntoRows(x: tf.Tensor, targets: tf.Tensor, count: number): tf.Tensor {
  return tf.scatterND(tf.reshape(targets, [-1, 1]), x, [count, ...x.shape.slice(1)]);
}

/** Undoes a broadcast: sums over the axes along which `shape` was repeated. */
export function sumTo(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const missing = x.rank - shape.length;
  const axes = x.shape
    .map((_, i) => i)
    .filter((i) => i < missing || (shape[i - missing] === 1 && x.shape[i] !== 1));
  return tf.reshape(axes.length === 0 ? x : tf.sum(x, axes), [...shape]);
}

function asFloat(x: tf.Tensor): tf.Tensor {
  return tf.cast(x, "float32");
}

function keptShape(shape: number[], axes: unknown): number[] {
  const over = tf.util.parseAxisParam(axes as number[], shape);
  return shape.map((size, i) => (over.includes(i) ? 1 : size));
}
