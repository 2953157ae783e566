import { expect, test, vi } from "vitest";
import type { TensorAdapter } from "@lejepa/tensor";
import { conformanceCases, runConformance } from "@lejepa/tensor/conformance";
import { unsupported } from "@lejepa/tensor/error";
import type { Float64Tensor } from "@lejepa/tensor/float64";
import { exampleCases } from "../src/conformance/cases.js";
import { wholeAdapter } from "./whole-adapter.js";

type Adapter = TensorAdapter<Float64Tensor>;

interface Fault {
  readonly name: string;
  readonly breakIt: (k: Adapter) => Partial<Adapter>;
  /** Exactly the example cases that fail. */
  readonly noticedBy: readonly string[];
}

const plain = ({ shape }: Float64Tensor, data: Float64Array): Float64Tensor => ({ shape, data });

/** The same values, and no gradient. */
const detached = <X extends Float64Tensor | number>(x: X): X =>
  (typeof x === "number" ? x : plain(x, x.data)) as X;

/** Changes the entries of a tensor that was just made; its gradient stays what it was. */
function withData(made: Float64Tensor, f: (value: number) => number): Float64Tensor {
  made.data.set(made.data.map(f));
  return made;
}

/** What a call gives, or `otherwise` where it is refused. */
function orFirst(call: () => Float64Tensor, otherwise: Float64Tensor | number): Float64Tensor {
  try {
    return call();
  } catch {
    return otherwise as Float64Tensor;
  }
}

/** The second operand, where it has the shape of the first or either is a scalar. */
function unlessRepeated<X extends Float64Tensor | number>(a: X, b: X): X {
  const shapes = [a, b].map((x) => (typeof x === "number" ? "" : x.shape.join()));
  if (!shapes.includes("") && shapes[0] !== shapes[1]) throw new Error("shapes differ");
  return b;
}

/** Makes every tensor in a result unreadable. */
function wipe(result: unknown): void {
  if (result instanceof Float64Array) result.fill(NaN);
  else if (typeof result === "object" && result !== null) Object.values(result).forEach(wipe);
}

const faults: readonly Fault[] = [
  {
    name: "fromArray keeps the caller's array",
    breakIt: (k) => ({
      fromArray: (data, shape) => {
        const copy = k.fromArray(data, shape);
        return data instanceof Float32Array ? plain(copy, data as unknown as Float64Array) : copy;
      },
    }),
    noticedBy: ["fromArray/copies-its-data"],
  },
  {
    name: "read hands out the tensor's own memory",
    breakIt: () => ({ read: (x) => Promise.resolve(x.data) }),
    noticedBy: ["read/gives-a-copy"],
  },
  {
    name: "values are rounded to float32",
    breakIt: (k) => ({ fromArray: (data, shape) => k.fromArray(Float32Array.from(data), shape) }),
    noticedBy: [
      "read/precision",
      "sin/values",
      "sin/values/gradient",
      "cos/values",
      "cos/values/gradient",
      "tanh/values",
      "tanh/values/gradient",
      "characteristicMeans/rows",
      "characteristicMeans/rows/gradient",
      "characteristicMeans/step-and-any-order-of-harmonics",
      "characteristicMeans/leading-axes",
    ],
  },
  {
    name: "fromArray takes any number of values",
    breakIt: (k) => ({
      fromArray: (data, shape) => {
        const size = shape.reduce((product, n) => product * n, 1);
        return k.fromArray(
          Array.from({ length: Math.abs(size) }, (_, i) => data[i] ?? 0),
          shape.map(Math.abs),
        );
      },
    }),
    noticedBy: ["fromArray/count-differs", "fromArray/negative-size"],
  },
  {
    name: "add works in place",
    breakIt: (k) => ({
      add: (a, b) => {
        const sum = k.add(a, b);
        if (typeof a !== "number" && a.data.length === sum.data.length) a.data.set(sum.data);
        return sum;
      },
    }),
    noticedBy: ["add/values", "add/number", "add/scalar-tensor"],
  },
  {
    name: "sub has its operands the wrong way round",
    breakIt: (k) => ({ sub: (a, b) => k.sub(b, a) }),
    noticedBy: ["sub/values", "sub/values/gradient", "sub/number-first"],
  },
  {
    name: "no gradient flows to the second factor",
    breakIt: (k) => ({
      mul: (a, b) => (typeof b === "number" ? k.mul(a, b) : k.mul(a, plain(b, b.data))),
    }),
    noticedBy: [
      "mul/values/gradient",
      "mul/broadcast/gradient",
      "mul/same-tensor-twice/gradient",
      "valueAndGrad/value-and-gradients",
      "valueAndGrad/value-used-by-many",
      "customGradient/backward-may-differentiate",
    ],
  },
  {
    name: "sum drops its axes although it should keep them",
    breakIt: (k) => ({ sum: (x, axes) => k.sum(x, axes) }),
    noticedBy: ["sum/keep", "sum/keep/gradient"],
  },
  {
    name: "negative axes are counted from the wrong end",
    breakIt: (k) => ({
      sum: (x, axes, dims) =>
        k.sum(
          x,
          axes?.map((axis) => (axis < 0 ? -axis - 1 : axis)),
          dims,
        ),
    }),
    noticedBy: ["sum/negative-axis", "sum/axis-twice"],
  },
  {
    name: "an empty list of axes means all of them",
    breakIt: (k) => ({
      sum: (x, axes, dims) => k.sum(x, axes?.length === 0 ? undefined : axes, dims),
    }),
    noticedBy: ["sum/no-axes"],
  },
  {
    name: "max starts from 0",
    breakIt: (k) => ({ max: (x, axes, dims) => k.maximum(k.max(x, axes, dims), 0) }),
    noticedBy: ["max/all-negative"],
  },
  {
    name: "where multiplies by the mask",
    breakIt: (k) => ({ where: (mask, a, b) => k.add(k.mul(mask, a), k.mul(k.sub(1, mask), b)) }),
    noticedBy: ["where/values/gradient", "where/hides-nan"],
  },
  {
    name: "the flags of matMul are ignored for square matrices",
    breakIt: (k) => ({
      matMul: (a, b, options) => k.matMul(a, b, b.shape.at(-1) === b.shape.at(-2) ? {} : options),
    }),
    noticedBy: ["matMul/transposeA-square", "matMul/transposeB-square"],
  },
  {
    name: "gather takes an index modulo the size",
    breakIt: (k) => ({
      gather: (x, indices, axis) => {
        const size = x.shape.at(axis) ?? 1;
        return k.gather(
          x,
          Array.from(indices, (i) => ((i % size) + size) % size),
          axis,
        );
      },
    }),
    noticedBy: ["gather/index-outside", "gather/negative-index"],
  },
  {
    name: "the mean over several axes divides by the first size only",
    breakIt: (k) => ({
      mean: (x, axes, dims) => k.div(k.sum(x, axes, dims), x.shape.at(axes?.[0] ?? 0) ?? 1),
    }),
    noticedBy: ["mean/all", "mean/all/gradient"],
  },
  {
    name: "greaterEqual is strict",
    breakIt: (k) => ({ greaterEqual: (a, b) => k.sub(1, k.greaterEqual(b, a)) }),
    noticedBy: ["greaterEqual/values"],
  },
  {
    name: "slice reads size as end",
    breakIt: (k) => ({
      slice: (x, begin, size) =>
        k.slice(
          x,
          begin,
          size.map((end, i) => Math.max(0, end - (begin[i] ?? 0))),
        ),
    }),
    noticedBy: ["fromArray/row-major", "slice/block", "slice/block/gradient", "slice/outside"],
  },
  {
    name: "transpose uses the inverse permutation",
    breakIt: (k) => ({
      transpose: (x, permutation) =>
        k.transpose(
          x,
          permutation?.map((_, axis) => permutation.indexOf(axis)),
        ),
    }),
    noticedBy: [
      "transpose/permutation",
      "transpose/permutation/gradient",
      "transpose/not-a-permutation",
    ],
  },
  {
    name: "concat joins along the first axis always",
    breakIt: (k) => ({ concat: (tensors) => k.concat(tensors, 0) }),
    noticedBy: ["concat/last-axis", "concat/last-axis/gradient"],
  },
  {
    name: "reshape reads columns first",
    breakIt: (k) => ({
      reshape: (x, shape) => k.transpose(k.reshape(k.transpose(x), shape.toReversed())),
    }),
    noticedBy: ["reshape/row-major", "reshape/row-major/gradient"],
  },
  {
    name: "valueAndGrad takes a vector for its sum",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => k.valueAndGrad((...xs) => k.sum(f(...xs)), inputs),
    }),
    noticedBy: ["valueAndGrad/not-a-scalar"],
  },
  {
    name: "sort is descending",
    breakIt: (k) => ({ sort: (x, axis) => k.neg(k.sort(k.neg(x), axis)) }),
    noticedBy: [
      "sort/last-axis",
      "sort/last-axis/gradient",
      "sort/first-axis",
      "sort/first-axis/gradient",
      "sort/equal-entries-keep-their-order",
      "sort/equal-entries-keep-their-order/gradient",
    ],
  },
  {
    name: "customGradient differentiates through the forward pass",
    breakIt: () => ({ customGradient: (rule, inputs) => rule.forward(inputs).value }),
    noticedBy: ["customGradient/own-gradient-with-saved-tensors"],
  },
  {
    name: "a missing capability returns its input",
    breakIt: () => ({ allReduceMean: (x) => x }),
    noticedBy: ["allReduceMean/shape-is-kept"],
  },
  {
    name: "a declared capability throws",
    breakIt: () => ({ sort: () => unsupported("broken", "sort") }),
    noticedBy: [
      "sort/last-axis",
      "sort/last-axis/gradient",
      "sort/first-axis",
      "sort/first-axis/gradient",
      "sort/equal-entries-keep-their-order",
      "sort/equal-entries-keep-their-order/gradient",
    ],
  },
  {
    name: "characteristicMeans takes the step for 1",
    breakIt: (k) => ({
      characteristicMeans: (x, _step, harmonics) => k.characteristicMeans(x, 1, harmonics),
    }),
    noticedBy: ["characteristicMeans/step-and-any-order-of-harmonics"],
  },
  {
    name: "characteristicMeans sorts its harmonics",
    breakIt: (k) => ({
      characteristicMeans: (x, step, harmonics) =>
        k.characteristicMeans(
          x,
          step,
          harmonics.toSorted((a, b) => a - b),
        ),
    }),
    noticedBy: ["characteristicMeans/step-and-any-order-of-harmonics"],
  },
  {
    name: "characteristicMeans sums",
    breakIt: (k) => ({
      characteristicMeans: (x, step, harmonics) =>
        k.mul(k.characteristicMeans(x, step, harmonics), x.shape.at(-1) ?? 1),
    }),
    noticedBy: ["characteristicMeans/rows", "characteristicMeans/rows/gradient"],
  },
  {
    name: "characteristicMeans has no gradient",
    breakIt: (k) => ({
      characteristicMeans: (x, step, harmonics) =>
        k.characteristicMeans(plain(x, x.data), step, harmonics),
    }),
    noticedBy: ["characteristicMeans/rows/gradient"],
  },
  {
    name: "characteristicMeans leaves one list of means",
    breakIt: (k) => ({
      characteristicMeans: (x, step, harmonics) => {
        const means = k.characteristicMeans(x, step, harmonics);
        const parts = 2 * harmonics.length;
        return k.reshape(means, [means.data.length / parts, parts]);
      },
    }),
    noticedBy: [
      "characteristicMeans/step-and-any-order-of-harmonics",
      "characteristicMeans/leading-axes",
    ],
  },
  {
    name: "characteristicMeans takes any operands",
    breakIt: (k) => ({
      characteristicMeans: (x, step, harmonics) =>
        x.data.length === 0 || x.shape.length === 0 || !(Math.min(...harmonics, 1) >= 1)
          ? x
          : harmonics.length === 0
            ? x
            : k.characteristicMeans(x, step, harmonics),
    }),
    noticedBy: [
      "characteristicMeans/scalar",
      "characteristicMeans/no-samples",
      "characteristicMeans/harmonics-[]",
      "characteristicMeans/harmonics-[0]",
      "characteristicMeans/harmonics-[-1]",
      "characteristicMeans/harmonics-[0.5]",
    ],
  },
  {
    name: "errors have no code",
    breakIt: (k) => ({
      matMul: (a, b, options) => {
        try {
          return k.matMul(a, b, options);
        } catch (error) {
          throw new Error("matMul: shapes differ", { cause: error });
        }
      },
    }),
    noticedBy: ["matMul/inner-sizes-differ", "matMul/vector", "matMul/batches-differ"],
  },
  {
    name: "the adapter is written for another version",
    breakIt: () => ({ contractVersion: 2 as never }),
    noticedBy: ["contract/version"],
  },
  {
    name: "the name is a sentence",
    breakIt: () => ({ name: "My adapter" }),
    noticedBy: ["contract/name"],
  },
  {
    name: "the precision is none of the two",
    breakIt: () => ({ precision: "float16" as never }),
    noticedBy: ["contract/precision", "read/precision"],
  },
  {
    name: "a capability is declared that the contract does not know",
    breakIt: (k) => ({ capabilities: [...k.capabilities, "fft" as never] }),
    noticedBy: ["contract/capabilities"],
  },
  {
    name: "a capability is declared twice",
    breakIt: (k) => ({ capabilities: [...k.capabilities, "sort"] }),
    noticedBy: ["contract/capabilities"],
  },
  {
    name: "a function is missing",
    breakIt: () => ({ tanh: undefined as never }),
    noticedBy: ["contract/functions", "tanh/values", "tanh/values/gradient"],
  },
  {
    name: "an adapter of no processes",
    breakIt: () => ({ processes: 0 }),
    noticedBy: ["contract/processes"],
  },
  {
    name: "processes are not said although means are taken over them",
    breakIt: (k) => ({
      capabilities: [...k.capabilities, "allReduceMean"],
      allReduceMean: (x) => x,
    }),
    noticedBy: ["contract/processes"],
  },
  {
    name: "a scalar is a vector of one",
    breakIt: (k) => ({
      fromArray: (data, shape) => k.fromArray(data, shape.length === 0 ? [1] : shape),
    }),
    noticedBy: [
      "fromArray/scalar",
      "add/scalar-tensor",
      "add/scalar-tensor/gradient",
      "where/values",
      "where/values/gradient",
    ],
  },
  {
    name: "an empty tensor is refused",
    breakIt: (k) => ({
      fromArray: (data, shape) => {
        if (data.length === 0) throw new Error("fromArray: nothing to keep");
        return k.fromArray(data, shape);
      },
    }),
    noticedBy: ["fromArray/empty", "sum/empty-axis-is-zero"],
  },
  {
    name: "fill drops the fraction",
    breakIt: (k) => ({ fill: (shape, value) => k.fill(shape, Math.trunc(value)) }),
    noticedBy: ["fill/value"],
  },
  {
    name: "scope disposes its result",
    breakIt: () => ({
      scope: (body) => {
        const result = body();
        wipe(result);
        return result;
      },
    }),
    noticedBy: ["scope/keeps-its-result"],
  },
  {
    name: "dispose takes the memory that another tensor shares",
    breakIt: () => ({ dispose: wipe }),
    noticedBy: ["dispose/leaves-others-alone"],
  },
  {
    name: "no gradient flows to the second summand",
    breakIt: (k) => ({ add: (a, b) => k.add(a, detached(b)) }),
    noticedBy: [
      "add/values/gradient",
      "add/broadcast-row-and-column/gradient",
      "add/scalar-tensor/gradient",
      "greaterEqual/no-gradient/gradient",
      "valueAndGrad/value-used-by-many",
    ],
  },
  {
    name: "add repeats nothing but scalars",
    breakIt: (k) => ({ add: (a, b) => k.add(a, unlessRepeated(a, b)) }),
    noticedBy: [
      "add/broadcast-row-and-column",
      "add/broadcast-row-and-column/gradient",
      "add/shapes-differ",
    ],
  },
  {
    name: "a scalar summand has no gradient",
    breakIt: (k) => ({
      add: (a, b) => k.add(a, typeof b !== "number" && b.shape.length === 0 ? detached(b) : b),
    }),
    noticedBy: ["add/scalar-tensor/gradient"],
  },
  {
    name: "operands that do not fit are left out",
    breakIt: (k) => ({
      add: (a, b) => orFirst(() => k.add(a, b), a),
      mul: (a, b) => orFirst(() => k.mul(a, b), a),
    }),
    noticedBy: ["add/shapes-differ", "mul/shapes-differ"],
  },
  {
    name: "products are never negative",
    breakIt: (k) => ({ mul: (a, b) => withData(k.mul(a, b), Math.abs) }),
    noticedBy: ["mul/values"],
  },
  {
    name: "a tensor times itself is itself",
    breakIt: (k) => ({ mul: (a, b) => (a === b && typeof a !== "number" ? a : k.mul(a, b)) }),
    noticedBy: ["mul/same-tensor-twice", "mul/same-tensor-twice/gradient"],
  },
  {
    name: "mul repeats nothing but scalars",
    breakIt: (k) => ({ mul: (a, b) => k.mul(a, unlessRepeated(a, b)) }),
    noticedBy: ["mul/broadcast", "mul/broadcast/gradient", "mul/shapes-differ"],
  },
  {
    name: "div divides the other way round",
    breakIt: (k) => ({ div: (a, b) => k.div(b, a) }),
    noticedBy: ["div/values", "div/values/gradient", "div/by-zero"],
  },
  {
    name: "a division by zero gives zero",
    breakIt: (k) => ({
      div: (a, b) => withData(k.div(a, b), (value) => (Number.isFinite(value) ? value : 0)),
    }),
    noticedBy: ["div/by-zero"],
  },
  {
    name: "maximum is minimum",
    breakIt: (k) => ({ maximum: (a, b) => k.minimum(a, b) }),
    noticedBy: ["maximum/values", "maximum/values/gradient", "maximum/number"],
  },
  {
    name: "minimum is maximum",
    breakIt: (k) => ({ minimum: (a, b) => k.maximum(a, b) }),
    noticedBy: ["minimum/values", "minimum/values/gradient"],
  },
  {
    name: "greaterEqual gives -1 for no",
    breakIt: (k) => ({ greaterEqual: (a, b) => k.sub(k.mul(k.greaterEqual(a, b), 2), 1) }),
    noticedBy: ["greaterEqual/values", "greaterEqual/no-gradient"],
  },
  {
    name: "greaterEqual passes the gradient on",
    breakIt: (k) => ({
      greaterEqual: (a, b) => k.add(k.greaterEqual(a, b), k.sub(a, detached(a))),
    }),
    noticedBy: ["greaterEqual/values", "greaterEqual/no-gradient/gradient"],
  },
  {
    name: "where chooses the other one",
    breakIt: (k) => ({ where: (mask, a, b) => k.where(mask, b, a) }),
    noticedBy: ["where/values", "where/values/gradient", "where/hides-nan"],
  },
  {
    name: "neg is the identity",
    breakIt: (k) => ({ neg: (x) => k.mul(x, 1) }),
    noticedBy: [
      "fromArray/scalar",
      "scope/keeps-its-result",
      "neg/values",
      "neg/values/gradient",
      "valueAndGrad/value-used-by-many",
    ],
  },
  {
    name: "abs is the identity",
    breakIt: (k) => ({ abs: (x) => k.mul(x, 1) }),
    noticedBy: ["abs/values", "abs/values/gradient"],
  },
  {
    name: "square doubles",
    breakIt: (k) => ({ square: (x) => k.mul(x, 2) }),
    noticedBy: [
      "square/values",
      "square/values/gradient",
      "valueAndGrad/value-and-gradients",
      "valueAndGrad/value-used-by-many",
      "customGradient/value",
      "customGradient/backward-may-differentiate",
    ],
  },
  {
    name: "exp is a power of two",
    breakIt: (k) => ({ exp: (x) => k.exp(k.mul(x, Math.LN2)) }),
    noticedBy: ["exp/values", "exp/values/gradient", "valueAndGrad/value-used-by-many"],
  },
  {
    name: "log is of base two",
    breakIt: (k) => ({ log: (x) => k.div(k.log(x), Math.LN2) }),
    noticedBy: ["log/values", "log/values/gradient"],
  },
  {
    name: "log takes the size of a negative number",
    breakIt: (k) => ({ log: (x) => k.log(k.abs(x)) }),
    noticedBy: ["log/zero-and-below"],
  },
  {
    name: "sqrt halves",
    breakIt: (k) => ({ sqrt: (x) => k.div(x, 2) }),
    noticedBy: ["sqrt/values", "sqrt/values/gradient"],
  },
  {
    name: "sin takes away whole turns in float32",
    breakIt: (k) => ({
      sin: (x) => {
        const turn = Math.fround(2 * Math.PI);
        return k.sin(
          k.sub(
            x,
            plain(
              x,
              x.data.map((angle) => turn * Math.round(angle / turn)),
            ),
          ),
        );
      },
    }),
    noticedBy: ["sin/large-arguments"],
  },
  {
    name: "the sine takes small angles a turn further",
    breakIt: (k) => ({
      sin: (x) => k.where(k.greaterEqual(k.abs(x), 1), k.sin(x), k.sin(k.add(x, 2 * Math.PI))),
    }),
    noticedBy: ["sin/small-arguments"],
  },
  {
    name: "characteristicMeans takes samples a turn further",
    breakIt: (k) => ({
      characteristicMeans: (x, step, harmonics) =>
        k.characteristicMeans(k.add(x, (2 * Math.PI) / step), step, harmonics),
    }),
    noticedBy: ["characteristicMeans/small-samples"],
  },
  {
    name: "the sum of all starts from 1",
    breakIt: (k) => ({
      sum: (x, axes, dims) => (axes ? k.sum(x, axes, dims) : k.add(k.sum(x, axes, dims), 1)),
    }),
    noticedBy: [
      "scope/keeps-its-result",
      "sum/all",
      "valueAndGrad/value-and-gradients",
      "customGradient/own-gradient-with-saved-tensors",
      "customGradient/backward-may-differentiate",
    ],
  },
  {
    name: "the gradient of the sum of all is that of the mean times two",
    breakIt: (k) => ({
      sum: (x, axes, dims) => {
        const sum = k.sum(x, axes, dims);
        if (axes) return sum;
        const twice = k.mul(k.sum(x), 2 / x.data.length);
        return k.add(detached(sum), k.sub(twice, detached(twice)));
      },
    }),
    noticedBy: [
      "add/values/gradient",
      "add/broadcast-row-and-column/gradient",
      "add/scalar-tensor/gradient",
      "sub/values/gradient",
      "mul/values/gradient",
      "mul/broadcast/gradient",
      "mul/same-tensor-twice/gradient",
      "maximum/values/gradient",
      "minimum/values/gradient",
      "greaterEqual/no-gradient/gradient",
      "where/values/gradient",
      "neg/values/gradient",
      "abs/values/gradient",
      "square/values/gradient",
      "sum/all/gradient",
      "sum/axis/gradient",
      "mean/all/gradient",
      "mean/axis-keep/gradient",
      "min/axis-keep/gradient",
      "matMul/plain/gradient",
      "matMul/transposeA/gradient",
      "matMul/transposeB/gradient",
      "matMul/transposeA-and-B/gradient",
      "reshape/row-major/gradient",
      "transpose/reversed/gradient",
      "transpose/permutation/gradient",
      "slice/block/gradient",
      "concat/first-axis/gradient",
      "concat/last-axis/gradient",
      "gather/rows/gradient",
      "gather/columns/gradient",
      "sort/last-axis/gradient",
      "sort/first-axis/gradient",
      "sort/equal-entries-keep-their-order/gradient",
      "characteristicMeans/rows/gradient",
    ],
  },
  {
    name: "the sum over one axis is over the last",
    breakIt: (k) => ({
      sum: (x, axes, dims) => k.sum(x, axes?.length === 1 && axes[0]! >= 0 ? [-1] : axes, dims),
    }),
    noticedBy: ["sum/axis", "sum/axis/gradient", "sum/axis-outside"],
  },
  {
    name: "the sum is over the first axis of the list only",
    breakIt: (k) => ({ sum: (x, axes, dims) => k.sum(x, axes?.slice(0, 1), dims) }),
    noticedBy: ["sum/outer-axes", "sum/axis-twice"],
  },
  {
    name: "the gradient of a sum over two axes is that of the mean",
    breakIt: (k) => ({
      sum: (x, axes, dims) => {
        const sum = k.sum(x, axes, dims);
        if (axes?.length !== 2 || x.data.length === 0) return sum;
        const mean = k.mean(x, axes, dims);
        return k.add(detached(sum), k.sub(mean, detached(mean)));
      },
    }),
    noticedBy: ["sum/outer-axes/gradient"],
  },
  {
    name: "the sum of nothing is not a number",
    breakIt: (k) => ({
      sum: (x, axes, dims) =>
        x.data.length === 0 ? withData(k.sum(x, axes, dims), () => NaN) : k.sum(x, axes, dims),
    }),
    noticedBy: ["sum/empty-axis-is-zero"],
  },
  {
    name: "axes start again after the last",
    breakIt: (k) => ({
      sum: (x, axes, dims) =>
        k.sum(
          x,
          axes?.map((axis) => axis % x.shape.length),
          dims,
        ),
    }),
    noticedBy: ["sum/axis-outside"],
  },
  {
    name: "mean drops its axes although it should keep them",
    breakIt: (k) => ({ mean: (x, axes) => k.mean(x, axes) }),
    noticedBy: ["mean/axis-keep"],
  },
  {
    name: "max is min",
    breakIt: (k) => ({ max: (x, axes, dims) => k.min(x, axes, dims) }),
    noticedBy: ["max/axis", "max/axis/gradient", "max/all-negative"],
  },
  {
    name: "min is max",
    breakIt: (k) => ({ min: (x, axes, dims) => k.max(x, axes, dims) }),
    noticedBy: ["min/axis-keep", "min/axis-keep/gradient"],
  },
  {
    name: "the largest of nothing is -Infinity",
    breakIt: (k) => ({
      max: (x, axes, dims) =>
        x.data.length === 0 ? k.sub(k.sum(x, axes, dims), Infinity) : k.max(x, axes, dims),
    }),
    noticedBy: ["max/empty-axis"],
  },
  {
    name: "matMul reads its second operand column by column",
    breakIt: (k) => ({
      matMul: (a, b, options) =>
        k.matMul(a, b.shape.length === 2 ? k.reshape(k.transpose(b), b.shape) : b, options),
    }),
    noticedBy: [
      "matMul/plain",
      "matMul/plain/gradient",
      "matMul/transposeA",
      "matMul/transposeA/gradient",
      "matMul/transposeB",
      "matMul/transposeB/gradient",
      "matMul/transposeA-square",
      "matMul/transposeB-square",
      "matMul/transposeA-and-B",
      "matMul/transposeA-and-B/gradient",
    ],
  },
  {
    name: "a transposed operand is reshaped instead",
    breakIt: (k) => ({
      matMul: (a, b, { transposeA = false, transposeB = false } = {}) => {
        const turned = (x: Float64Tensor) => k.reshape(x, x.shape.toReversed());
        return k.matMul(transposeA ? turned(a) : a, transposeB ? turned(b) : b);
      },
    }),
    noticedBy: [
      "matMul/transposeA",
      "matMul/transposeA/gradient",
      "matMul/transposeB",
      "matMul/transposeB/gradient",
      "matMul/transposeA-square",
      "matMul/transposeB-square",
      "matMul/transposeA-and-B",
      "matMul/transposeA-and-B/gradient",
    ],
  },
  {
    name: "every matrix of a batch is multiplied by the first",
    breakIt: (k) => ({
      matMul: (a, b, options) =>
        b.shape.length === 3
          ? k.matMul(a, k.slice(b, [0, 0, 0], [1, b.shape[1]!, b.shape[2]!]), options)
          : k.matMul(a, b, options),
    }),
    noticedBy: [
      "matMul/batch",
      "matMul/batch/gradient",
      "matMul/one-matrix-first",
      "matMul/one-matrix-first/gradient",
      "matMul/batches-differ",
    ],
  },
  {
    name: "one matrix is not repeated for a batch",
    breakIt: (k) => ({
      matMul: (a, b, options) => {
        if (a.shape.length !== b.shape.length && b.shape.length > 1)
          throw new Error("matMul: ranks differ");
        return k.matMul(a, b, options);
      },
    }),
    noticedBy: [
      "matMul/one-matrix-for-the-batch",
      "matMul/one-matrix-for-the-batch/gradient",
      "matMul/one-matrix-first",
      "matMul/one-matrix-first/gradient",
    ],
  },
  {
    name: "reshape to a scalar leaves an axis",
    breakIt: (k) => ({ reshape: (x, shape) => k.reshape(x, shape.length === 0 ? [1] : shape) }),
    noticedBy: ["reshape/to-scalar"],
  },
  {
    name: "reshape cuts what does not fit",
    breakIt: (k) => ({
      reshape: (x, shape) => {
        const size = shape.reduce((product, n) => product * n, 1);
        return size < x.data.length
          ? k.fromArray(x.data.slice(0, size), shape)
          : k.reshape(x, shape);
      },
    }),
    noticedBy: ["reshape/size-differs"],
  },
  {
    name: "transpose does nothing by default",
    breakIt: (k) => ({
      transpose: (x, permutation) => (permutation ? k.transpose(x, permutation) : x),
    }),
    noticedBy: ["transpose/reversed", "transpose/reversed/gradient"],
  },
  {
    name: "slice takes the axes that are not given whole",
    breakIt: (k) => ({
      slice: (x, begin, size) =>
        k.slice(
          x,
          x.shape.map((_, i) => begin[i] ?? 0),
          x.shape.map((whole, i) => size[i] ?? whole),
        ),
    }),
    noticedBy: ["slice/rank-differs"],
  },
  {
    name: "concat joins from the last to the first",
    breakIt: (k) => ({ concat: (tensors, axis) => k.concat(tensors.toReversed(), axis) }),
    noticedBy: [
      "concat/first-axis",
      "concat/first-axis/gradient",
      "concat/last-axis",
      "concat/last-axis/gradient",
    ],
  },
  {
    name: "concat leaves out what does not fit",
    breakIt: (k) => ({
      concat: (tensors, axis) => orFirst(() => k.concat(tensors, axis), tensors[0]!),
    }),
    noticedBy: ["concat/shapes-differ", "concat/nothing"],
  },
  {
    name: "gather sorts its indices",
    breakIt: (k) => ({
      gather: (x, indices, axis) =>
        k.gather(
          x,
          [...indices].sort((a, b) => a - b),
          axis,
        ),
    }),
    noticedBy: ["gather/rows", "gather/rows/gradient"],
  },
  {
    name: "gather takes rows whatever the axis",
    breakIt: (k) => ({ gather: (x, indices) => k.gather(x, indices, 0) }),
    noticedBy: ["gather/columns", "gather/columns/gradient"],
  },
  {
    name: "an index that comes again has no gradient",
    breakIt: (k) => ({
      gather: (x, indices, axis) => {
        if (indices.length < 2) return k.gather(x, indices, axis);
        const given = [...indices];
        const parts = given.map((index, i) =>
          k.gather(given.indexOf(index) === i ? x : detached(x), [index], axis),
        );
        return k.concat(parts, axis);
      },
    }),
    noticedBy: ["gather/rows/gradient", "gather/columns/gradient"],
  },
  {
    name: "readSync drops the fraction",
    breakIt: (k) => ({ readSync: (x) => k.readSync(x).map(Math.trunc) }),
    noticedBy: ["readSync/values"],
  },
  {
    name: "an input without influence has no gradient",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const { value, grads } = k.valueAndGrad(f, inputs);
        return {
          value,
          grads: grads.map((g) => (g.data.every((d) => d === 0) ? withData(g, () => NaN) : g)),
        };
      },
    }),
    noticedBy: ["where/values/gradient", "valueAndGrad/no-influence-is-zero"],
  },
  {
    name: "no gradient while another is being computed",
    breakIt: (k) => {
      let busy = false;
      return {
        valueAndGrad: (f, inputs) => {
          if (busy) throw new Error("valueAndGrad: busy");
          busy = true;
          try {
            return k.valueAndGrad(f, inputs);
          } finally {
            busy = false;
          }
        },
      };
    },
    noticedBy: ["customGradient/backward-may-differentiate"],
  },
  {
    name: "customGradient gives its value twice",
    breakIt: (k) => ({
      customGradient: (rule, inputs) => k.mul(k.customGradient(rule, inputs), 2),
    }),
    noticedBy: [
      "customGradient/value",
      "customGradient/own-gradient-with-saved-tensors",
      "customGradient/backward-may-differentiate",
    ],
  },
];

test.each(faults)("$name: noticed by the cases named", async ({ breakIt, noticedBy }) => {
  const adapter = wholeAdapter();
  const report = await runConformance({ ...adapter, ...breakIt(adapter) }, exampleCases);
  expect(report.results.filter((r) => r.status === "failed").map((r) => r.id)).toEqual(noticedBy);
});

test("every fault is noticed by an example, and every example notices a fault", () => {
  expect(faults.filter((fault) => fault.noticedBy.length === 0)).toEqual([]);
  const noticing = new Set(faults.flatMap((fault) => fault.noticedBy));
  expect(exampleCases.map(({ id }) => id).filter((id) => !noticing.has(id))).toEqual([]);
});

test("a read that never answers fails its case, and does not stop the runner", async () => {
  vi.useFakeTimers();
  try {
    const silent = { ...wholeAdapter(), read: () => new Promise<never>(() => undefined) };
    const cases = conformanceCases.filter(
      ({ id }) => id === "fill/value" || id === "add/shapes-differ",
    );
    const running = runConformance(silent, cases);
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await running).results).toEqual([
      { id: "fill/value", status: "failed", reason: "it has not finished after 20 seconds" },
      { id: "add/shapes-differ", status: "passed" },
    ]);
  } finally {
    vi.useRealTimers();
  }
});

test("an adapter whose capabilities are no list fails, and does not stop the runner", async () => {
  const report = await runConformance({ ...wholeAdapter(), capabilities: undefined as never });
  expect(report.results.find(({ id }) => id === "contract/capabilities")?.status).toBe("failed");
  expect(report.results).toHaveLength(conformanceCases.length);
});
