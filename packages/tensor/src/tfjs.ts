/** @packageDocumentation
 *  The contract over `@tensorflow/tfjs-core`, for any backend. No function reads a value, so a step written with it can be
 *  recorded symbolically; gradients are those of tfjs. */
import * as tf from "@tensorflow/tfjs-core";
import { checkedAdapter } from "./checked-adapter.js";
import type { GradientRule, TensorAdapter } from "./contract.js";
import { LejepaError, said, unsupported } from "./error.js";
import {
  broadcastShape,
  checkCount,
  checkGradients,
  checkHarmonics,
  checkIndices,
  checkNotEmpty,
  checkScalar,
  checkShape,
  checkSlice,
  concatShape,
  matMulSizes,
  reducedShape,
  resolveAxes,
  resolveAxis,
  resolvePermutation,
  sizeOf,
} from "./shapes.js";
import { registerMissingGradients, sumIntoRows, sumTo } from "./tfjs-gradients.js";

/** What {@link tfjsAdapter} can be given besides tfjs-core. */
export interface TfjsAdapterOptions {
  /** An operation of the contract's meaning, which makes `characteristicMeans` a capability; `characteristicMeans` of
   *  `@lejepa/ops` is one. Called with an x of one or more samples and with harmonics that were checked. */
  readonly characteristicMeans?: (
    x: tf.Tensor,
    step: number,
    harmonics: readonly number[],
  ) => tf.Tensor;
  /** The processes that train together, which makes `allReduceMean` a capability. */
  readonly processes?: {
    /** How many there are, 1 or more. */
    readonly count: number;
    /** An operation of the contract's meaning; that of `@lejepa/ops` is one. */
    readonly allReduceMean: (x: tf.Tensor) => tf.Tensor;
  };
}

/** The adapter for tfjs tensors, on whichever backend is active when a function is called.
 *
 *  Ownership is that of tfjs: intermediate tensors live until `scope` (which is `tf.tidy`) or `dispose` frees them.
 *  Capabilities: readSync, valueAndGrad, customGradient, sort (values only: ties keep their order), and
 *  characteristicMeans and allReduceMean where it is given them.
 *
 *  @param options What tfjs-core does not bring.
 *  @throws LejepaError `invalid-argument` for options of another kind; every method likewise for what is no tensor.
 *  @returns A new adapter; it holds no state. */
export function tfjsAdapter(options: TfjsAdapterOptions = {}): TensorAdapter<tf.Tensor> {
  const name = "tfjs";
  checkOptions(options);
  const { characteristicMeans, processes } = options;
  registerMissingGradients();

  const binary =
    (operation: string, f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
    (a: tf.Tensor | number, b: tf.Tensor | number) => {
      const [x, y] = [asTensor(a), asTensor(b)];
      broadcastShape(operation, x.shape, y.shape);
      return f(x, y);
    };

  /** maximum and minimum. The gradient that `@tensorflow/tfjs` registers does not sum over what was repeated.
   *  @param wins whether the first operand is the result, a tie included */
  const extreme = (
    operation: string,
    f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
    wins: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  ) => {
    const plain = binary(operation, f);
    const repeated = binary(operation, (a, b) =>
      customGradient(
        {
          forward: ([x, y]) => ({ value: f(x!, y!), saved: [x!, y!] }),
          backward: (dy, [x, y]) => {
            const first = tf.cast(wins(x!, y!), "float32");
            const second = tf.sub(1, first);
            return [sumTo(tf.mul(dy, first), x!.shape), sumTo(tf.mul(dy, second), y!.shape)];
          },
        },
        [a, b],
      ),
    );
    return (a: tf.Tensor | number, b: tf.Tensor | number) => {
      const tensors = typeof a !== "number" && typeof b !== "number";
      return tensors && a.shape.join() !== b.shape.join() ? repeated(a, b) : plain(a, b);
    };
  };

  const reduce =
    (
      operation: string,
      f: (x: tf.Tensor, axes: number[], keepDims: boolean) => tf.Tensor,
      /** What a reduction of no entries gives. */
      empty: number | "refused",
    ) =>
    (x: tf.Tensor, axes?: readonly number[], dims: "keep" | "drop" = "drop") => {
      const over = resolveAxes(operation, axes, x.rank);
      if (empty === "refused") checkNotEmpty(operation, x.shape, over);
      // tfjs's wasm backend leaves the result of no entries as it finds the memory.
      if (x.size === 0 && empty !== "refused")
        return tf.fill(reducedShape(x.shape, over, dims), empty);
      // tfjs reads an empty list of axes as "all of them".
      return over.length === 0 ? x.clone() : f(x, over, dims === "keep");
    };

  const adapter: TensorAdapter<tf.Tensor> = {
    contractVersion: 1,
    name,
    precision: "float32",
    capabilities: [
      ...(["readSync", "valueAndGrad", "customGradient", "sort"] as const),
      ...(characteristicMeans === undefined ? [] : (["characteristicMeans"] as const)),
      ...(processes === undefined ? [] : (["allReduceMean"] as const)),
    ],
    ...(processes && { processes: processes.count }),

    fromArray: (data, shape) => {
      checkCount("fromArray", data.length, shape);
      // A copy: tfjs's cpu backend would keep the caller's own array.
      return tf.tensor(Float32Array.from(data), [...shape], "float32");
    },
    fill: (shape, value) => {
      checkShape("fill", shape);
      return tf.fill([...shape], value, "float32");
    },
    read: async (x) => Float32Array.from(await x.data()),
    readSync: (x) => Float32Array.from(x.dataSync()),
    shape: (x) => x.shape,

    add: binary("add", tf.add),
    sub: binary("sub", tf.sub),
    mul: binary("mul", tf.mul),
    div: binary("div", tf.div),
    maximum: extreme("maximum", tf.maximum, tf.greaterEqual),
    minimum: extreme("minimum", tf.minimum, tf.lessEqual),
    // tfjs has no gradient for comparisons, so the functions built on them bring their own.
    greaterEqual: binary("greaterEqual", (a, b) =>
      tf.customGrad((x, y) => ({
        value: tf.cast(tf.greaterEqual(x as tf.Tensor, y as tf.Tensor), "float32"),
        // By shape: the operands may be gone by now.
        gradFunc: () => [tf.zeros(a.shape), tf.zeros(b.shape)],
      }))(a, b),
    ),
    where: (mask, a, b) => {
      const [x, y] = [asTensor(a), asTensor(b)];
      const shape = broadcastShape("where", mask.shape, x.shape, y.shape);
      // TensorFlow does not choose among no entries.
      if (sizeOf(shape) === 0) return tf.zeros(shape);
      return tf.customGrad((m, chosen, other, save) => {
        (save as unknown as (tensors: tf.Tensor[]) => void)([m as tf.Tensor]);
        return {
          value: tf.where(tf.notEqual(m as tf.Tensor, 0), chosen as tf.Tensor, other as tf.Tensor),
          gradFunc: (dy, [kept]) => {
            const isChosen = tf.notEqual(kept as tf.Tensor, 0);
            return [
              tf.zeros(mask.shape),
              sumTo(tf.where(isChosen, dy, 0), x.shape),
              sumTo(tf.where(isChosen, 0, dy), y.shape),
            ];
          },
        };
      })(mask, x, y);
    },

    neg: (x) => tf.neg(x),
    abs: (x) => tf.abs(x),
    square: (x) => tf.square(x),
    exp: (x) => tf.exp(x),
    log: (x) => tf.log(x),
    sqrt: (x) => tf.sqrt(x),
    sin: (x) => (tf.getBackend() === "wasm" ? oddSine(x) : tf.sin(x)),
    cos: (x) => tf.cos(tf.getBackend() === "wasm" ? tf.abs(x) : x),
    tanh: (x) => tf.tanh(x),

    sum: reduce("sum", tf.sum, 0),
    mean: reduce("mean", tf.mean, NaN),
    max: reduce("max", tf.max, "refused"),
    min: reduce("min", tf.min, "refused"),

    matMul: (a, b, { transposeA = false, transposeB = false } = {}) => {
      const { batch, rows, inner, columns } = matMulSizes(a.shape, b.shape, transposeA, transposeB);
      const shape = [...batch, rows, columns];
      // Of sums of nothing and of no sums, tfjs's backends make something else each.
      if (sizeOf(shape) * inner === 0) return tf.zeros(shape);
      // One matrix for the whole batch: a single large product is faster, and needs no copies of b.
      if (b.rank === 2 && a.rank > 2 && !transposeA) {
        const stacked = tf.reshape(a, [sizeOf(batch) * rows, inner]);
        return tf.reshape(tf.matMul(stacked, b, false, transposeB), shape);
      }
      // tfjs broadcasts batches forward but not in the gradient, so the repetition is made an op of its own.
      const repeat = (x: tf.Tensor) => {
        const whole = [...batch, ...x.shape.slice(-2)];
        return x.shape.length === whole.length && x.shape.every((size, i) => size === whole[i])
          ? x
          : tf.broadcastTo(x, whole);
      };
      return tf.matMul(repeat(a), repeat(b), transposeA, transposeB);
    },
    reshape: (x, shape) => {
      checkCount("reshape", x.size, shape);
      return tf.reshape(x, [...shape]);
    },
    transpose: (x, permutation) => tf.transpose(x, resolvePermutation(permutation, x.rank)),
    slice: (x, begin, size) => {
      checkSlice(x.shape, begin, size);
      // tfjs does not cut scalars.
      if (x.rank === 0) return x.clone();
      return tf.slice(x, [...begin], [...size]);
    },
    concat: (tensors, axis) => {
      const along = concatShape(
        tensors.map((x) => x.shape),
        axis,
      ).axis;
      return tf.concat([...tensors], along);
    },
    gather: (x, indices, axis) => {
      const along = resolveAxis("gather", axis, x.rank);
      const size = x.shape[along] ?? 0;
      checkIndices(indices, size);
      const shape = x.shape.map((whole, i) => (i === along ? indices.length : whole));
      // Of no entries, tfjs's wasm backend makes another shape.
      if (sizeOf(shape) === 0) return tf.zeros(shape);
      const toFront = x.shape.map((_, i) => (i === 0 ? along : i <= along ? i - 1 : i));
      const back = toFront.map((_, i) => toFront.indexOf(i));
      // The gradient that tfjs brings calls unsortedSegmentSum, which its wasm backend lacks.
      return customGradient(
        {
          forward: ([whole]) => {
            const rows = tf.tensor1d(Int32Array.from(indices), "int32");
            return { value: tf.gather(whole as tf.Tensor, rows, along), saved: [rows] };
          },
          backward: (dy, [rows]) => [
            tf.transpose(sumIntoRows(tf.transpose(dy, toFront), rows!, size), back),
          ],
        },
        [x],
      );
    },

    scope: (body) => {
      // tf.tidy keeps the tensors of its result alive, but its type allows only tensor containers.
      let result: unknown;
      tf.tidy(() => (result = body()) as tf.TensorContainer);
      return result as ReturnType<typeof body>;
    },
    dispose: (x) => x.dispose(),

    valueAndGrad: (f, given) =>
      tf.tidy(() => {
        // tfjs keeps one gradient for each tensor, so one that is given twice becomes two.
        const inputs = given.map((x, i) => (given.indexOf(x) < i ? x.clone() : x));
        // tf.valueAndGrads refuses an input without influence; the engine call beneath it leaves its gradient out.
        const scalar = () => {
          const value = f(...inputs);
          checkScalar(value.shape);
          return value;
        };
        // A value that was there before the call stays what it is, and is given as a tensor of its own.
        const owned = (value: tf.Tensor) =>
          value.scopeId === tf.engine().state.activeScope?.id ? value : value.clone();
        if (inputs.length === 0) return { value: owned(scalar()), grads: [] };
        // The engine forgets its tape when a gradient is done, even one that a backward pass asks for while the tape
        // that it belongs to is still needed.
        const { state } = tf.engine();
        const { activeTape } = state;
        const { value, grads } = tf.engine().gradients(scalar, [...inputs], undefined, true);
        if (state.gradientDepth === 0) state.activeTape = activeTape;
        return {
          value: owned(value),
          grads: inputs.map((x, i) => grads[i] ?? tf.zerosLike(x)),
        };
      }),
    customGradient,
    sort: (x, axis) => {
      const along = resolveAxis("sort", axis, x.rank);
      const length = x.shape[along] ?? 0;
      if (x.size === 0) return x.clone();
      const order = x.shape.map((_, i) => i).filter((i) => i !== along);
      const toLast = [...order, along];
      const back = toLast.map((_, i) => toLast.indexOf(i));
      const lines = tf.reshape(tf.transpose(x, toLast), [x.size / length, length]);
      // topk has no gradient, so it only says where each entry comes from; among equal entries it takes the first one first.
      const sorted = customGradient(
        {
          forward: ([flat]) => {
            const ranks = tf.topk(tf.neg(flat as tf.Tensor), length, true).indices;
            const starts = tf.mul(
              tf.range(0, x.size / length, 1, "int32"),
              tf.scalar(length, "int32"),
            );
            const positions = tf.reshape(tf.add(ranks, tf.reshape(starts, [-1, 1])), [-1]);
            const value = tf.gather(tf.reshape(flat as tf.Tensor, [-1]), positions);
            return { value: tf.reshape(value, lines.shape), saved: [positions] };
          },
          backward: (dy, [positions]) => {
            const sums = sumIntoRows(tf.reshape(dy, [-1]), positions!, x.size);
            return [tf.reshape(sums, lines.shape)];
          },
        },
        [lines],
      );
      return tf.transpose(
        tf.reshape(
          sorted,
          toLast.map((i) => x.shape[i] ?? 1),
        ),
        back,
      );
    },
    allReduceMean: (x) =>
      processes === undefined ? unsupported(name, "allReduceMean") : processes.allReduceMean(x),
    characteristicMeans: (x, step, harmonics) => {
      if (characteristicMeans === undefined) return unsupported(name, "characteristicMeans");
      checkHarmonics(x.shape, harmonics);
      if (x.size === 0) return tf.zeros([...x.shape.slice(0, -1), 2 * harmonics.length]);
      return characteristicMeans(x, step, harmonics);
    },
  };
  return checkedAdapter(adapter, (value) => value instanceof tf.Tensor);
}

/** Refuses options that the compiler would have refused. */
function checkOptions(options: TfjsAdapterOptions): void {
  const refuse = (name: string, expected: string, value: unknown): never => {
    throw new LejepaError(
      "invalid-argument",
      `tfjsAdapter: ${name} should be ${expected}, got ${said(value)}.`,
    );
  };
  if (typeof options !== "object" || (options as object | null) === null || Array.isArray(options))
    refuse("options", "an object with characteristicMeans or processes", options);
  const unknown = Object.keys(options).find(
    (name) => !["characteristicMeans", "processes"].includes(name),
  );
  if (unknown !== undefined)
    refuse("options", "characteristicMeans and processes, and no others", unknown);
  const { characteristicMeans, processes } = options;
  if (characteristicMeans !== undefined && typeof characteristicMeans !== "function")
    refuse("characteristicMeans", "a function", characteristicMeans);
  if (processes === undefined) return;
  const { count, allReduceMean } = processes ?? {};
  if (!(Number.isSafeInteger(count) && count >= 1))
    refuse("processes.count", "an integer of 1 or more", count);
  if (typeof allReduceMean !== "function")
    refuse("processes.allReduceMean", "a function", allReduceMean);
}

function customGradient(rule: GradientRule<tf.Tensor>, inputs: readonly tf.Tensor[]): tf.Tensor {
  const shapes = inputs.map((x) => x.shape);
  return tf.customGrad((...args) => {
    // tfjs passes the function that keeps tensors for the backward pass after the inputs.
    const save = args.pop() as unknown as (tensors: tf.Tensor[]) => void;
    const { value, saved } = rule.forward(args as tf.Tensor[]);
    save([...saved]);
    return {
      // tfjs would take an input that is the result for a call that did nothing.
      value: args.includes(value) ? value.clone() : value,
      gradFunc: (cotangent, kept) => {
        const gradients = rule.backward(cotangent, kept);
        checkGradients(
          gradients.map((g) => g.shape),
          shapes,
        );
        return [...gradients];
      },
    };
  })(...inputs);
}

/** The sine on tfjs-backend-wasm, which moves angles to [0, 2 pi) in float32 first: just below 0 the error is 2.4e-7 however
 *  small the sine is. Angles above 0 stay where they are; the sine is odd, and the cosine even. */
function oddSine(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((at, save) => {
    const angle = at as tf.Tensor;
    (save as unknown as (tensors: tf.Tensor[]) => void)([angle]);
    return {
      value: tf.mul(tf.sign(angle), tf.sin(tf.abs(angle))),
      gradFunc: (dy, [kept]) => tf.mul(dy, tf.cos(tf.abs(kept!))),
    };
  })(x);
}

function asTensor(x: tf.Tensor | number): tf.Tensor {
  return typeof x === "number" ? tf.scalar(x, "float32") : x;
}
