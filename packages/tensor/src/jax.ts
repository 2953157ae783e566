/** @packageDocumentation
 *  The contract over `@jax-js/jax`, on whichever device is its default. No function reads a value, so calls may be made
 *  inside jax-js's own `grad`, `vmap` and `jit`; gradients are those of jax-js. */
import { lax, numpy as np, valueAndGrad as jaxValueAndGrad } from "@jax-js/jax";
import { checkedAdapter } from "./checked-adapter.js";
import type { GradientRule, ReducedAxes, TensorAdapter } from "./contract.js";
import { unsupported } from "./error.js";
import {
  broadcastShape,
  checkCount,
  checkGradients,
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

/** The adapter for jax-js arrays.
 *
 *  Ownership: jax-js counts references, and each of its functions takes one from every argument. The functions of the
 *  contract take none: after `adapter.neg(x)` you still own x, and own the result. Whatever was made inside `scope` and is
 *  not in its result belongs to the scope, so hand it to a function of jax-js as `x.ref`. A function that jax-js itself
 *  differentiates has to give up its arguments:
 *
 *      const loss = (z) => {
 *        const value = adapter.scope(() => sigreg(adapter, z, directions));
 *        z.dispose();
 *        return value;
 *      };
 *      const [value, gradient] = valueAndGrad(loss)(z.ref);
 *
 *  Capabilities: readSync, valueAndGrad, customGradient, sort. jax-js has no rule for gradients of one's own, so
 *  `customGradient` is composed: the value plus a term that is zero and has the gradient of the rule. Where that gradient is
 *  not finite the value is NaN.
 *
 *  @returns A new adapter; it holds no state outside `scope`. */
export function jaxAdapter(): TensorAdapter<np.Array> {
  const name = "jax";
  /** What each open scope owns, the innermost last. */
  const scopes: Set<np.Array>[] = [];

  /** Notes a tensor that is about to be returned. */
  const made = (x: np.Array): np.Array => {
    scopes.at(-1)?.add(x);
    return x;
  };

  /** Runs `body` and gives up what was made inside and `keeps` does not name; that goes to the scope around it. */
  function scoped<R>(body: () => R, keeps: (result: R) => ReadonlySet<unknown>): R {
    const own = new Set<np.Array>();
    let kept: ReadonlySet<unknown> = new Set();
    scopes.push(own);
    try {
      const result = body();
      kept = keeps(result);
      return result;
    } finally {
      scopes.pop();
      for (const x of own)
        if (kept.has(x)) made(x);
        else x.dispose();
    }
  }

  /** As `scoped`, for a body whose result holds references of its own. */
  const scratch = <R>(body: () => R): R => scoped(body, () => new Set());

  type Operand = np.Array | number;

  const binary =
    (operation: string, f: (a: np.Array, b: np.Array) => np.Array) => (a: Operand, b: Operand) => {
      const [x, y] = [reference(a), reference(b)];
      return made(unlessEmpty(broadcastShape(operation, x.shape, y.shape), [x, y], () => f(x, y)));
    };

  const unary = (f: (x: np.Array) => np.Array) => (x: np.Array) =>
    made(x.size === 0 ? alias(x) : f(x.ref));

  const reduce =
    (
      operation: string,
      f: (x: np.Array, axes: number[], options: { keepdims: boolean }) => np.Array,
      /** What a reduction of no entries gives. */
      empty: number | "refused",
    ) =>
    (x: np.Array, axes?: readonly number[], dims: ReducedAxes = "drop") => {
      const over = resolveAxes(operation, axes, x.ndim);
      if (empty === "refused") checkNotEmpty(operation, x.shape, over);
      else if (x.size === 0) return made(np.full(reducedShape(x.shape, over, dims), empty));
      return made(over.length === 0 ? alias(x) : f(x.ref, over, { keepdims: dims === "keep" }));
    };

  const customGradient = (rule: GradientRule<np.Array>, inputs: readonly np.Array[]): np.Array => {
    const { value, saved } = scratch(() => {
      const result = rule.forward(inputs.map((x) => made(lax.stopGradient(x.ref))));
      return { value: result.value.ref, saved: result.saved.map((x) => x.ref) };
    });
    // Nothing that is differentiated, traced or batched: the value is all there is to know.
    if (inputs.every((x) => x instanceof np.Array)) {
      saved.forEach((x) => x.dispose());
      return made(value);
    }
    // A step of the inputs: zero, and its derivative is 1.
    const steps = inputs.map((x) => x.ref.sub(lax.stopGradient(x.ref)));
    // <steps, backward(c)> is linear in c, so its gradient is the linear map that `backward` is the transpose of.
    const product = (cotangent: np.Array): np.Array => {
      const total = scratch(() => {
        const gradients = rule.backward(cotangent, saved);
        checkGradients(
          gradients.map((g) => g.shape),
          inputs.map((x) => x.shape),
        );
        return gradients
          .map((gradient, i) => np.sum((steps[i] as np.Array).ref.mul(gradient.ref)))
          .reduce((sum, term) => sum.add(term));
      });
      cotangent.dispose();
      return total;
    };
    const [zero, change] = jaxValueAndGrad(product)(np.zeros(value.shape));
    [zero, ...steps, ...saved].forEach((x) => x.dispose());
    return made(value.add(change));
  };

  const adapter: TensorAdapter<np.Array> = {
    contractVersion: 1,
    name,
    precision: "float32",
    capabilities: ["readSync", "valueAndGrad", "customGradient", "sort"],

    fromArray: (data, shape) => {
      checkCount("fromArray", data.length, shape);
      if (data.length === 0) return made(np.zeros([...shape]));
      return made(np.array(Float32Array.from(data), { shape: [...shape], dtype: np.float32 }));
    },
    fill: (shape, value) => {
      checkShape("fill", shape);
      return made(np.full([...shape], value, { dtype: np.float32 }));
    },
    read: async (x) => hostCopy(await x.ref.data()),
    readSync: (x) => hostCopy(x.ref.dataSync()),
    shape: (x) => x.shape,

    add: binary("add", np.add),
    sub: binary("sub", np.subtract),
    mul: binary("mul", np.multiply),
    div: binary("div", np.divide),
    maximum: binary("maximum", np.maximum),
    minimum: binary("minimum", np.minimum),
    greaterEqual: binary("greaterEqual", (a, b) => np.greaterEqual(a, b).astype(np.float32)),
    where: (mask, a, b) => {
      const [x, y] = [reference(a), reference(b)];
      const shape = broadcastShape("where", mask.shape, x.shape, y.shape);
      return made(unlessEmpty(shape, [x, y], () => np.where(mask.ref.notEqual(0), x, y)));
    },

    // np.negative takes from 0, and so loses the sign of a zero.
    neg: unary((x) => x.mul(-1)),
    abs: unary(np.abs),
    square: unary(np.square),
    exp: unary(np.exp),
    log: unary(logarithm),
    sqrt: unary(np.sqrt),
    sin: unary((x) => np.sin(withinOneTurn(x))),
    cos: unary((x) => np.cos(withinOneTurn(x))),
    tanh: unary(np.tanh),

    sum: reduce("sum", np.sum, 0),
    mean: reduce("mean", np.mean, NaN),
    max: reduce("max", np.max, "refused"),
    min: reduce("min", np.min, "refused"),

    matMul: (a, b, { transposeA = false, transposeB = false } = {}) => {
      matMulSizes(a.shape, b.shape, transposeA, transposeB);
      const rank = Math.max(a.ndim, b.ndim);
      const given = (x: np.Array, transposed: boolean) => {
        // np.matmul aligns leading axes only where both operands have as many.
        const missing = Array.from({ length: rank - x.ndim }, () => 1);
        const operand = np.reshape(x.ref, [...missing, ...x.shape]);
        return transposed ? np.matrixTranspose(operand) : operand;
      };
      return made(np.matmul(given(a, transposeA), given(b, transposeB)));
    },
    reshape: (x, shape) => {
      checkCount("reshape", x.size, shape);
      return made(np.reshape(x.ref, [...shape]));
    },
    transpose: (x, permutation) =>
      made(np.transpose(x.ref, resolvePermutation(permutation, x.ndim))),
    slice: (x, begin, size) => {
      checkSlice(x.shape, begin, size);
      return made(block(x, begin, size));
    },
    concat: (tensors, axis) => {
      const along = concatShape(
        tensors.map((x) => x.shape),
        axis,
      ).axis;
      return made(
        np.concatenate(
          tensors.map((x) => alias(x)),
          along,
        ),
      );
    },
    gather: (x, indices, axis) => {
      const along = resolveAxis("gather", axis, x.ndim);
      checkIndices(indices, x.shape[along] ?? 0);
      if (indices.length === 0)
        return made(
          block(
            x,
            x.shape.map(() => 0),
            x.shape.map((size, i) => (i === along ? 0 : size)),
          ),
        );
      const positions = np.array(Int32Array.from(indices), { dtype: np.int32 });
      return made(np.take(x.ref, positions, along));
    },

    scope: (body) => scoped(body, tensorsIn),
    dispose: (x) => {
      for (const scope of scopes) scope.delete(x);
      x.dispose();
    },

    valueAndGrad: (f, inputs) => {
      const scalar = (...leaves: np.Array[]): np.Array => {
        const value = scratch(() => {
          const result = f(...leaves);
          checkScalar(result.shape);
          return result.ref;
        });
        leaves.forEach((leaf) => leaf.dispose());
        return value;
      };
      if (inputs.length === 0) return { value: made(scalar()), grads: [] };
      const argnums = inputs.map((_, i) => i);
      const [value, grads] = jaxValueAndGrad(scalar, { argnums })(...inputs.map((x) => x.ref));
      return { value: made(value), grads: grads.map(made) };
    },
    customGradient,
    sort: (x, axis) => {
      const along = resolveAxis("sort", axis, x.ndim);
      return made(x.size === 0 ? alias(x) : np.sort(x.ref, along));
    },
    allReduceMean: () => unsupported(name, "allReduceMean"),
    characteristicMeans: () => unsupported(name, "characteristicMeans"),
  };
  return checkedAdapter(adapter, isJaxArray);
}

/** Whether a value is an array of jax-js, or what stands for one while a function is traced. */
function isJaxArray(value: unknown): boolean {
  // Asked by name: reading `ref` takes a reference.
  return typeof value === "object" && value !== null && "ref" in value && "dtype" in value;
}

/** The caller's own copy. jax-js names Float16Array in the type of its data, which older TypeScript does not know. */
function hostCopy(data: unknown): Float32Array {
  return Float32Array.from(data as ArrayLike<number>);
}

/** A reference that a function of jax-js may take. */
function reference(x: np.Array | number): np.Array {
  return typeof x === "number" ? np.full([], x, { dtype: np.float32 }) : x.ref;
}

/** The result of a function of `operands`, which it takes; zeros where it has no entries, because jax-js does not
 *  differentiate a repetition of none. */
function unlessEmpty(
  shape: readonly number[],
  operands: readonly np.Array[],
  f: () => np.Array,
): np.Array {
  if (sizeOf(shape) > 0) return f();
  operands.forEach((x) => x.dispose());
  return np.zeros([...shape]);
}

/** The same entries as an array of its own: given up apart from x. */
function alias(x: np.Array): np.Array {
  return np.reshape(x.ref, x.shape);
}

/** Entries `begin` to `begin + size` along each axis. */
function block(x: np.Array, begin: readonly number[], size: readonly number[]): np.Array {
  return x.ref.slice(
    ...begin.map((from, i): [number, number] => [from, from + (size[i] as number)]),
  );
}

/** 2 pi in three parts. The first two have 8 and 11 significant bits, so that their products with a number of turns below
 *  8,192 are exact in float32. */
const turn = [6.28125, 0.00193500518798828125, 3.019915981956753e-7] as const;

/** x less its whole turns: jax-js's own sine loses its digits far from zero. It takes x. */
function withinOneTurn(x: np.Array): np.Array {
  const turns = lax.stopGradient(np.round(x.ref.mul(1 / (2 * Math.PI))));
  const rest = turn.reduce((less, part) => less.sub(turns.ref.mul(part)), x);
  turns.dispose();
  return rest;
}

/** The natural logarithm: jax-js's own, whose series of four terms is off by up to 1.1e-5 on its wasm device, and what it
 *  lacks. Near 1 that is found by the series of log1p, elsewhere by a step of Newton's, y + x e^-y - 1. It takes x. */
function logarithm(x: np.Array): np.Array {
  const y = np.log(x.ref);
  const at = lax.stopGradient(x);
  const log = lax.stopGradient(y.ref);
  // In two factors, for e^-y is out of range for the largest x.
  const root = np.exp(log.ref.mul(-0.5));
  const step = at.ref.mul(root.ref).mul(root).sub(1);
  const distance = at.sub(1);
  const near = np.abs(distance.ref).lessEqual(0.2);
  const nearby = np.log1p(np.clip(distance, -0.2, 0.2)).sub(log.ref);
  const lacking = np.where(near, nearby, step);
  // An infinity lacks nothing, nor does NaN.
  return y.add(np.where(np.abs(log).lessEqual(200), lacking, 0));
}

/** The tensors in a result, at any depth of arrays and plain objects. */
function tensorsIn(result: unknown, found = new Set<unknown>()): ReadonlySet<unknown> {
  if (typeof result === "object" && result !== null && !found.has(result)) {
    found.add(result);
    const prototype: unknown = Object.getPrototypeOf(result);
    if (Array.isArray(result) || prototype === Object.prototype || prototype === null)
      for (const entry of Object.values(result)) tensorsIn(entry, found);
  }
  return found;
}
