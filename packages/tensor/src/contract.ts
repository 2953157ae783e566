/** The tensor contract, version 1: what a framework has to offer so that the LeJEPA objective runs on it.
 *
 *  An adapter is a plain object of functions over the framework's own tensor type `T`. It holds no
 *  state that a caller can see. These promises hold for every function and are not repeated below:
 *
 *  - Shapes are lists of non-negative integers, row-major; `[]` is a scalar. Axes may be negative
 *    (-1 is the last).
 *  - Values are real numbers of the adapter's `precision`: float32 unless it says float64. There is no integer or boolean
 *    tensor: masks are 0 and 1, indices stay on the host.
 *  - Functions are pure: inputs are neither changed nor disposed, and each call returns a new tensor
 *    that the caller owns (it may share memory with an input, never ownership).
 *  - Functions that return a `T` do not wait for the device or read from it, so they can be recorded into a graph.
 *    Only `read` and `readSync` look at values.
 *  - Every function is differentiable wherever the mathematics is, except where it says otherwise.
 *  - Shapes that do not fit throw a `LejepaError` with code `shape-mismatch` at the call, before any
 *    computation; the message names the function and both shapes.
 *  - Lists that a call is given (shapes, axes, indices, tensors) are the caller's: they are not changed, and may change
 *    after the call.
 *  - NaN, infinity and the sign of zero follow IEEE arithmetic. What `max`, `min`, `maximum`, `minimum` and `sort` do with NaN is left open. */
export interface TensorAdapter<T> {
  /** The version of the contract that this adapter was written for. */
  readonly contractVersion: 1;
  /** Short lower-case name for messages and reports, such as "tfjs". */
  readonly name: string;
  /** Precision of values and arithmetic. */
  readonly precision: "float32" | "float64";
  /** The optional functions that work here. Every other optional function is present too and throws
   *  a `LejepaError` with code `unsupported`. */
  readonly capabilities: readonly Capability[];
  /** How many processes train together, those that `allReduceMean` averages over: 1 or more. An adapter with that
   *  capability gives it, because sums over the whole batch cannot be told from means alone. */
  readonly processes?: number;

  // ---- in and out

  /** A tensor of `shape` with `data` in row-major order, copied and rounded to the adapter's precision.
   *  Throws `shape-mismatch` when `data.length` is not the product of `shape`. */
  fromArray(data: ArrayLike<number>, shape: Shape): T;
  /** A tensor of `shape` whose every entry is `value`. Throws `shape-mismatch` for a shape that is none. */
  fill(shape: Shape, value: number): T;
  /** The values in row-major order, as a new typed array that belongs to the caller.
   *  Waits for the computation; not for use inside a recorded step. */
  read(x: T): Promise<Float32Array | Float64Array>;
  /** The shape of `x`; known without waiting. */
  shape(x: T): Shape;

  // ---- elementwise, two operands. Shapes broadcast as in NumPy: aligned at the last axis, an axis of
  //      size 1 or a missing one is repeated; a number stands for a scalar tensor.

  /** a + b. */
  add(a: T | number, b: T | number): T;
  /** a - b. */
  sub(a: T | number, b: T | number): T;
  /** a * b, entry by entry. */
  mul(a: T | number, b: T | number): T;
  /** a / b, entry by entry; IEEE division by zero. */
  div(a: T | number, b: T | number): T;
  /** The larger of a and b. The gradient at a tie is left open. */
  maximum(a: T | number, b: T | number): T;
  /** The smaller of a and b. The gradient at a tie is left open. */
  minimum(a: T | number, b: T | number): T;
  /** 1 where a >= b, else 0 (0 where either is NaN). Its gradient is zero everywhere. */
  greaterEqual(a: T | number, b: T | number): T;
  /** `a` where `mask` is not zero, else `b`; all three broadcast. No gradient flows to `mask`. */
  where(mask: T, a: T | number, b: T | number): T;

  // ---- elementwise, one operand

  /** -x. */
  neg(x: T): T;
  /** |x|. The gradient at 0 is any number in [-1, 1]. */
  abs(x: T): T;
  /** x². */
  square(x: T): T;
  /** e to the x. */
  exp(x: T): T;
  /** Natural logarithm; -Infinity at 0, NaN below. */
  log(x: T): T;
  /** Square root; NaN below 0. */
  sqrt(x: T): T;
  /** Sine of x in radians, to the precision of the type for |x| up to 10,000; near 0 relative to the sine itself. */
  sin(x: T): T;
  /** Cosine of x in radians, to the precision of the type for |x| up to 10,000. */
  cos(x: T): T;
  /** Hyperbolic tangent. */
  tanh(x: T): T;

  // ---- over axes

  /** Sum over `axes` (all of them by default; none for `[]`). The sum over an axis of size 0 is 0.
   *  `dims: "keep"` leaves each reduced axis in place with size 1; the default "drop" removes it. */
  sum(x: T, axes?: readonly number[], dims?: ReducedAxes): T;
  /** Mean over `axes`, as for `sum`; NaN over an axis of size 0. */
  mean(x: T, axes?: readonly number[], dims?: ReducedAxes): T;
  /** Largest entry over `axes`, as for `sum`; the axes must not be empty. The gradient at a tie is left open. */
  max(x: T, axes?: readonly number[], dims?: ReducedAxes): T;
  /** Smallest entry over `axes`, as for `max`. */
  min(x: T, axes?: readonly number[], dims?: ReducedAxes): T;

  // ---- matrices and layout

  /** Matrix product on the last two axes: [.., I, K] x [.., K, J] -> [.., I, J]. Leading axes broadcast.
   *  With `transposeA` the first operand is given as [.., K, I], with `transposeB` the second as [.., J, K].
   *  Both need rank 2 or more. */
  matMul(a: T, b: T, options?: MatMulOptions): T;
  /** The same entries in row-major order under another shape of the same size. */
  reshape(x: T, shape: Shape): T;
  /** Axis `i` of the result is axis `permutation[i]` of `x`; by default the order is reversed. */
  transpose(x: T, permutation?: readonly number[]): T;
  /** The block that starts at `begin` with `size` entries along each axis. Throws `shape-mismatch` when it leaves `x`. */
  slice(x: T, begin: readonly number[], size: readonly number[]): T;
  /** Joins tensors along `axis`; all other axes must agree. At least one tensor. */
  concat(tensors: readonly T[], axis: number): T;
  /** Entries `indices` of `axis`, in that order; an index may come more than once (its gradients add up).
   *  Throws `invalid-argument` when an index is not an integer in [0, size). */
  gather(x: T, indices: readonly number[] | Int32Array, axis: number): T;

  // ---- memory

  /** Runs `body` and disposes every tensor made inside it that is not in its result
   *  (a tensor, or arrays and plain objects of them). `body` is synchronous. A no-op where memory is collected. */
  scope<R>(body: () => R): R;
  /** Gives up a tensor that the caller owns; using it afterwards is an error of the caller. */
  dispose(x: T): void;

  // ---- optional: see `capabilities`

  /** The values at once, as for `read`, without a promise. */
  readSync(x: T): Float32Array | Float64Array;
  /** The value of the scalar function `f` at `inputs`, and its gradient with respect to each of them (zeros for one that has
   *  no influence; its own for one that is given twice). `f` must use the tensors it is called with. Value and gradients are
   *  new tensors, whatever `f` returns. Throws `shape-mismatch` when `f` does not return shape []. */
  valueAndGrad(f: (...inputs: T[]) => T, inputs: readonly T[]): { value: T; grads: T[] };
  /** Applies a function that brings its own gradient: the value of `rule.forward`, differentiated by
   *  `rule.backward` instead of through the calls inside `forward`. Gradients of other shapes than the inputs' throw
   *  `shape-mismatch` when they are asked for. */
  customGradient(rule: GradientRule<T>, inputs: readonly T[]): T;
  /** Ascending sort along `axis`; equal entries keep their order. Gradients follow the entries. */
  sort(x: T, axis: number): T;
  /** Mean of `x` over all processes that train together, equal on each, with its gradient: the statistic
   *  of the whole batch from that of each part. Every process must call it in the same order with the same shape.
   *  Its gradient is the mean of the cotangents of all processes, so it is called in the backward pass too; gradients
   *  of parameters that are averaged over processes afterwards are then those of the mean of all losses. */
  allReduceMean(x: T): T;
  /** Means over the last axis of the cosine and sine of multiples of x, in turn: [.., N] -> [.., 2 T] with
   *  `[.., 2 j]` the mean over n of `cos(harmonics[j] * step * x[.., n])` and `[.., 2 j + 1]` that of the sine.
   *  For frameworks that have these sums as one operation; they can be composed of the functions above.
   *  `step` is a finite number and `harmonics` T positive integers. Throws `shape-mismatch` for a scalar x and one
   *  without samples, `invalid-argument` for other harmonics and for none. */
  characteristicMeans(x: T, step: number, harmonics: readonly number[]): T;
}

/** The optional functions of the contract, by name. */
export type Capability =
  "readSync" | "valueAndGrad" | "customGradient" | "sort" | "allReduceMean" | "characteristicMeans";

/** Sizes along each axis, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Whether a reduced axis stays with size 1 ("keep") or goes ("drop"). */
export type ReducedAxes = "keep" | "drop";

/** Which operands of `matMul` are given transposed; both false by default. */
export interface MatMulOptions {
  /** The first operand is [.., K, I]. */
  readonly transposeA?: boolean;
  /** The second operand is [.., J, K]. */
  readonly transposeB?: boolean;
}

/** A function together with its gradient, for `customGradient`. */
export interface GradientRule<T> {
  /** Computes the value, and names the tensors that `backward` will need: nothing else made here stays alive. */
  forward(inputs: readonly T[]): { value: T; saved: readonly T[] };
  /** From the gradient with respect to the value (of its shape), the gradient with respect to each input
   *  (of its shape), in order. Like every gradient it is linear in the cotangent. It may call `valueAndGrad`, to compute again what was not saved. */
  backward(cotangent: T, saved: readonly T[]): readonly T[];
}
