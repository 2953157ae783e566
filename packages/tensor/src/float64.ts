/** @packageDocumentation
 *  The contract over plain Float64Arrays: the small reference to read, and to check other adapters against.
 *  It is written for clarity; a few thousand entries are fine, a training run is not. */
import { checkedAdapter } from "./checked-adapter.js";
import type { Capability, Shape, TensorAdapter } from "./contract.js";
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

/** A dense tensor in host memory. */
export interface Float64Tensor {
  /** Sizes along each axis. */
  readonly shape: Shape;
  /** The entries in row-major order. */
  readonly data: Float64Array;
}

/** One recorded call: how the gradient of its result becomes the gradients of its inputs. */
interface TapeEntry {
  readonly output: Float64Tensor;
  readonly inputs: readonly Float64Tensor[];
  readonly pullback: (cotangent: Float64Tensor) => readonly Float64Tensor[];
}

/** The adapter for plain arrays in double precision.
 *
 *  Gradients are reverse mode over a tape. Each pullback is itself written in adapter calls, so gradients of
 *  gradients work. Layout functions (slice, transpose, gather, broadcasting, sort) are all one function, `take`, with
 *  different positions; its gradient `putAdding` is also the sum over axes.
 *  Capabilities: readSync, valueAndGrad, customGradient, sort.
 *
 *  @returns A new adapter; it holds no state between calls. */
export function float64Adapter(): TensorAdapter<Float64Tensor> {
  const name = "float64";
  let tapes: TapeEntry[][] = [];

  function record(
    output: Float64Tensor,
    inputs: readonly Float64Tensor[],
    pullback: TapeEntry["pullback"],
  ): Float64Tensor {
    for (const tape of tapes) tape.push({ output, inputs, pullback });
    return output;
  }

  /** out[i] = x[positions[i]] */
  function take(x: Float64Tensor, positions: Int32Array, shape: Shape): Float64Tensor {
    const output = {
      shape,
      data: Float64Array.from(positions, (position) => x.data[position] as number),
    };
    return record(output, [x], (dy) => [putAdding(dy, positions, x.shape)]);
  }

  /** out[positions[i]] += x[i] */
  function putAdding(x: Float64Tensor, positions: Int32Array, shape: Shape): Float64Tensor {
    const data = new Float64Array(sizeOf(shape));
    positions.forEach((position, i) => (data[position] = at(data, position) + at(x.data, i)));
    return record({ shape, data }, [x], (dy) => [take(dy, positions, x.shape)]);
  }

  function broadcastTo(x: Float64Tensor, shape: Shape): Float64Tensor {
    if (sameShape(x.shape, shape)) return x;
    const own = rowMajorStrides(x.shape);
    const missing = shape.length - x.shape.length;
    const strides = shape.map((_, i) => (x.shape[i - missing] === 1 ? 0 : (own[i - missing] ?? 0)));
    return take(x, walk(shape, strides), shape);
  }

  type Binary = (x: Float64Tensor, y: Float64Tensor) => Float64Tensor;
  type Operand = Float64Tensor | number;

  /** An elementwise function of two operands with its partial derivatives, both times the cotangent. */
  const binary =
    (
      operation: string,
      f: (x: number, y: number) => number,
      byX: (dy: Float64Tensor, ...xy: Parameters<Binary>) => Operand,
      byY: typeof byX,
    ) =>
    (a: Operand, b: Operand) => {
      const shape = broadcastShape(operation, shapeOf(a), shapeOf(b));
      const [x, y] = [broadcastTo(asTensor(a), shape), broadcastTo(asTensor(b), shape)];
      const output = { shape, data: x.data.map((value, i) => f(value, at(y.data, i))) };
      return record(output, [x, y], (dy) =>
        [byX(dy, x, y), byY(dy, x, y)].map((d) => broadcastTo(asTensor(d), shape)),
      );
    };

  /** An elementwise function of one operand, with its derivative in terms of x and y = f(x). */
  const unary =
    (f: (x: number) => number, derivative: (x: Float64Tensor, y: Float64Tensor) => Operand) =>
    (x: Float64Tensor) => {
      const output: Float64Tensor = { shape: x.shape, data: x.data.map((value) => f(value)) };
      return record(output, [x], (dy) => [mul(dy, derivative(x, output))]);
    };

  const add = binary(
    "add",
    (x, y) => x + y,
    (dy) => dy,
    (dy) => dy,
  );
  const sub = binary(
    "sub",
    (x, y) => x - y,
    (dy) => dy,
    (dy) => neg(dy),
  );
  const mul = binary(
    "mul",
    (x, y) => x * y,
    (dy, _x, y) => mul(dy, y),
    (dy, x) => mul(dy, x),
  );
  const div = binary(
    "div",
    (x, y) => x / y,
    (dy, _x, y) => div(dy, y),
    (dy, x, y) => neg(div(mul(dy, x), mul(y, y))),
  );
  const greaterEqual = binary(
    "greaterEqual",
    (x, y) => (x >= y ? 1 : 0),
    () => 0,
    () => 0,
  );
  const maximum = binary(
    "maximum",
    Math.max,
    (dy, x, y) => mul(dy, greaterEqual(x, y)),
    (dy, x, y) => mul(dy, sub(1, greaterEqual(x, y))),
  );
  const minimum = binary(
    "minimum",
    Math.min,
    (dy, x, y) => mul(dy, greaterEqual(y, x)),
    (dy, x, y) => mul(dy, sub(1, greaterEqual(y, x))),
  );

  const neg = unary(
    (x) => -x,
    () => -1,
  );
  const abs = unary(Math.abs, (x) => sub(greaterEqual(x, 0), greaterEqual(0, x)));
  const square = unary(
    (x) => x * x,
    (x) => mul(x, 2),
  );
  const exp = unary(Math.exp, (_x, y) => y);
  const log = unary(Math.log, (x) => div(1, x));
  const sqrt = unary(Math.sqrt, (_x, y) => div(0.5, y));
  const sin = unary(Math.sin, (x) => cos(x));
  const cos = unary(Math.cos, (x) => neg(sin(x)));
  const tanh = unary(Math.tanh, (_x, y) => sub(1, square(y)));

  function where(mask: Float64Tensor, a: Operand, b: Operand): Float64Tensor {
    const shape = broadcastShape("where", mask.shape, shapeOf(a), shapeOf(b));
    const [m, x, y] = [mask, asTensor(a), asTensor(b)].map((t) => broadcastTo(t, shape)) as [
      Float64Tensor,
      Float64Tensor,
      Float64Tensor,
    ];
    const output = {
      shape,
      data: m.data.map((chosen, i) => at(chosen !== 0 ? x.data : y.data, i)),
    };
    return record(output, [x, y], (dy) => [where(m, dy, 0), where(m, 0, dy)]);
  }

  /** For each entry of x, the position of the reduced entry that it belongs to. */
  function targets(shape: Shape, axes: readonly number[]): Int32Array {
    const kept = rowMajorStrides(reducedShape(shape, axes, "keep"));
    return walk(
      shape,
      shape.map((_, i) => (axes.includes(i) ? 0 : (kept[i] ?? 0))),
    );
  }

  function sum(
    x: Float64Tensor,
    axes?: readonly number[],
    dims: "keep" | "drop" = "drop",
  ): Float64Tensor {
    const over = resolveAxes("sum", axes, x.shape.length);
    return putAdding(x, targets(x.shape, over), reducedShape(x.shape, over, dims));
  }

  function mean(
    x: Float64Tensor,
    axes?: readonly number[],
    dims: "keep" | "drop" = "drop",
  ): Float64Tensor {
    const over = resolveAxes("mean", axes, x.shape.length);
    return div(sum(x, over, dims), sizeOf(over.map((axis) => x.shape[axis] ?? 1)));
  }

  /** max and min take the first entry that no other beats. */
  const extreme =
    (operation: string, beats: (a: number, b: number) => boolean) =>
    (x: Float64Tensor, axes?: readonly number[], dims: "keep" | "drop" = "drop") => {
      const over = resolveAxes(operation, axes, x.shape.length);
      checkNotEmpty(operation, x.shape, over);
      const shape = reducedShape(x.shape, over, dims);
      const winners = new Int32Array(sizeOf(shape)).fill(-1);
      targets(x.shape, over).forEach((target, i) => {
        const best = at(winners, target);
        if (best < 0 || beats(at(x.data, i), at(x.data, best))) winners[target] = i;
      });
      return take(x, winners, shape);
    };

  function matMul(
    a: Float64Tensor,
    b: Float64Tensor,
    { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
  ): Float64Tensor {
    const { batch, rows, inner, columns } = matMulSizes(a.shape, b.shape, transposeA, transposeB);
    const x = broadcastTo(a, [...batch, ...a.shape.slice(-2)]);
    const y = broadcastTo(b, [...batch, ...b.shape.slice(-2)]);
    const [xRow, xInner] = transposeA ? [1, rows] : [inner, 1];
    const [yInner, yColumn] = transposeB ? [1, inner] : [columns, 1];
    const data = new Float64Array(sizeOf(batch) * rows * columns);
    for (let n = 0; n < sizeOf(batch); n++)
      for (let i = 0; i < rows; i++)
        for (let k = 0; k < inner; k++) {
          const left = at(x.data, n * rows * inner + i * xRow + k * xInner);
          const from = n * inner * columns + k * yInner;
          const to = (n * rows + i) * columns;
          for (let j = 0; j < columns; j++)
            data[to + j] = at(data, to + j) + left * at(y.data, from + j * yColumn);
        }
    const output = { shape: [...batch, rows, columns], data };
    return record(output, [x, y], (dy) => [
      transposeA
        ? matMul(y, dy, { transposeA: transposeB, transposeB: true })
        : matMul(dy, y, { transposeB: !transposeB }),
      transposeB
        ? matMul(dy, x, { transposeA: true, transposeB: transposeA })
        : matMul(x, dy, { transposeA: !transposeA }),
    ]);
  }

  function reshape(x: Float64Tensor, shape: Shape): Float64Tensor {
    checkCount("reshape", x.data.length, shape);
    return record({ shape: [...shape], data: x.data }, [x], (dy) => [reshape(dy, x.shape)]);
  }

  function transpose(x: Float64Tensor, permutation?: readonly number[]): Float64Tensor {
    const order = resolvePermutation(permutation, x.shape.length);
    const own = rowMajorStrides(x.shape);
    const shape = order.map((axis) => x.shape[axis] ?? 1);
    return take(
      x,
      walk(
        shape,
        order.map((axis) => own[axis] ?? 0),
      ),
      shape,
    );
  }

  function slice(
    x: Float64Tensor,
    begin: readonly number[],
    size: readonly number[],
  ): Float64Tensor {
    checkSlice(x.shape, begin, size);
    const strides = rowMajorStrides(x.shape);
    const start = strides.reduce((offset, stride, i) => offset + stride * (begin[i] ?? 0), 0);
    return take(x, walk(size, strides, start), [...size]);
  }

  function concat(tensors: readonly Float64Tensor[], axis: number): Float64Tensor {
    const joined = concatShape(
      tensors.map((x) => x.shape),
      axis,
    );
    const strides = rowMajorStrides(joined.shape);
    let done = 0;
    const parts = tensors.map((x) => {
      const start = done * (strides[joined.axis] ?? 0);
      done += x.shape[joined.axis] ?? 0;
      return putAdding(x, walk(x.shape, strides, start), joined.shape);
    });
    return parts.reduce((total, part) => add(total, part));
  }

  function gather(
    x: Float64Tensor,
    indices: readonly number[] | Int32Array,
    axis: number,
  ): Float64Tensor {
    const along = resolveAxis("gather", axis, x.shape.length);
    checkIndices(indices, x.shape[along] ?? 0);
    const strides = rowMajorStrides(x.shape);
    const shape = x.shape.map((size, i) => (i === along ? indices.length : size));
    const first = walk(
      shape,
      strides.map((stride, i) => (i === along ? 0 : stride)),
    );
    const place = walk(
      shape,
      shape.map((_, i) => (i === along ? 1 : 0)),
    );
    const positions = first.map(
      (start, i) => start + (indices[at(place, i)] ?? 0) * (strides[along] ?? 0),
    );
    return take(x, positions, shape);
  }

  function sort(x: Float64Tensor, axis: number): Float64Tensor {
    const along = resolveAxis("sort", axis, x.shape.length);
    const strides = rowMajorStrides(x.shape);
    const positions = walk(x.shape, strides);
    const lines = walk(reducedShape(x.shape, [along], "keep"), strides);
    for (const start of lines) {
      const line = Array.from(
        { length: x.shape[along] ?? 0 },
        (_, i) => start + i * (strides[along] ?? 0),
      );
      const ascending = [...line].sort((i, j) => at(x.data, i) - at(x.data, j));
      line.forEach((position, i) => (positions[position] = ascending[i] ?? 0));
    }
    return take(x, positions, x.shape);
  }

  function valueAndGrad(
    f: (...inputs: Float64Tensor[]) => Float64Tensor,
    inputs: readonly Float64Tensor[],
  ): { value: Float64Tensor; grads: Float64Tensor[] } {
    const tape: TapeEntry[] = [];
    // Each input becomes a tensor of its own, linked to the caller's: the same tensor may be given twice.
    const leaves = inputs.map((x) => reshape(x, x.shape));
    const before = tapes;
    tapes = [...before, tape];
    let value: Float64Tensor;
    try {
      value = f(...leaves);
    } finally {
      tapes = before;
    }
    checkScalar(value.shape);
    const cotangents = new Map<Float64Tensor, Float64Tensor>([[value, fill([], 1)]]);
    for (const { output, inputs: sources, pullback } of tape.reverse()) {
      const cotangent = cotangents.get(output);
      if (cotangent === undefined) continue;
      pullback(cotangent).forEach((gradient, i) => {
        const source = sources[i] as Float64Tensor;
        const known = cotangents.get(source);
        cotangents.set(source, known === undefined ? gradient : add(known, gradient));
      });
    }
    // Tensors of their own: the value may be one from outside, and two gradients the same.
    const own = (x: Float64Tensor) => reshape(x, x.shape);
    return {
      value: own(value),
      grads: leaves.map((leaf) => own(cotangents.get(leaf) ?? fill(leaf.shape, 0))),
    };
  }

  const capabilities: readonly Capability[] = [
    "readSync",
    "valueAndGrad",
    "customGradient",
    "sort",
  ];
  const adapter: TensorAdapter<Float64Tensor> = {
    contractVersion: 1,
    name,
    precision: "float64",
    capabilities,
    fromArray: (data, shape) => {
      checkCount("fromArray", data.length, shape);
      return { shape: [...shape], data: Float64Array.from(data) };
    },
    fill: (shape, value) => {
      checkShape("fill", shape);
      return fill(shape, value);
    },
    read: (x) => Promise.resolve(x.data.slice()),
    readSync: (x) => x.data.slice(),
    shape: (x) => x.shape,
    add,
    sub,
    mul,
    div,
    maximum,
    minimum,
    greaterEqual,
    where,
    neg,
    abs,
    square,
    exp,
    log,
    sqrt,
    sin,
    cos,
    tanh,
    sum,
    mean,
    max: extreme("max", (a, b) => a > b),
    min: extreme("min", (a, b) => a < b),
    matMul,
    reshape,
    transpose,
    slice,
    concat,
    gather,
    scope: (body) => body(),
    dispose: () => undefined,
    valueAndGrad,
    customGradient: (rule, inputs) => {
      const before = tapes;
      tapes = [];
      let result: ReturnType<typeof rule.forward>;
      try {
        result = rule.forward(inputs);
      } finally {
        tapes = before;
      }
      const output = { shape: result.value.shape, data: result.value.data };
      // The list is the caller's, who may use it for something else before the backward pass.
      const given = [...inputs];
      return record(output, given, (dy) => {
        const gradients = rule.backward(dy, result.saved);
        checkGradients(
          gradients.map((g) => g.shape),
          given.map((x) => x.shape),
        );
        return gradients;
      });
    },
    sort,
    allReduceMean: () => unsupported(name, "allReduceMean"),
    characteristicMeans: () => unsupported(name, "characteristicMeans"),
  };
  return checkedAdapter(adapter, isFloat64Tensor);
}

function isFloat64Tensor(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { shape, data } = value as Partial<Float64Tensor>;
  return Array.isArray(shape) && data instanceof Float64Array;
}

function fill(shape: Shape, value: number): Float64Tensor {
  return { shape: [...shape], data: new Float64Array(sizeOf(shape)).fill(value) };
}

function asTensor(x: Float64Tensor | number): Float64Tensor {
  return typeof x === "number" ? fill([], x) : x;
}

function shapeOf(x: Float64Tensor | number): Shape {
  return typeof x === "number" ? [] : x.shape;
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** An entry that is known to be there; the compiler cannot see that an index is in range. */
function at(data: Float64Array | Int32Array, index: number): number {
  return data[index] as number;
}

/** How far apart neighbours along each axis lie. */
function rowMajorStrides(shape: Shape): number[] {
  return shape.map((_, i) => sizeOf(shape.slice(i + 1)));
}

/** The positions that a walk over `shape` in row-major order visits, stepping by `strides` from `start`. */
function walk(shape: Shape, strides: readonly number[], start = 0): Int32Array {
  let positions = Int32Array.of(start);
  shape.forEach((size, axis) => {
    const longer = new Int32Array(positions.length * size);
    positions.forEach((position, i) => {
      for (let j = 0; j < size; j++) longer[i * size + j] = position + j * (strides[axis] ?? 0);
    });
    positions = longer;
  });
  return positions;
}
