import { expect, test } from "vitest";
import type { TensorAdapter } from "@lejepa/tensor";
import { runConformance } from "@lejepa/tensor/conformance";
import { unsupported } from "@lejepa/tensor/error";
import { float64Adapter, type Float64Tensor } from "@lejepa/tensor/float64";
import { checkHarmonics } from "../src/shapes.js";

type Adapter = TensorAdapter<Float64Tensor>;

interface Fault {
  readonly name: string;
  readonly breakIt: (k: Adapter) => Partial<Adapter>;
  /** Exactly the cases that fail. */
  readonly noticedBy: readonly string[];
}

const plain = ({ shape }: Float64Tensor, data: Float64Array): Float64Tensor => ({ shape, data });

/** The float64 adapter with the one capability that it could have and lacks, by definition. */
function wholeAdapter(): Adapter {
  const k = float64Adapter();
  return {
    ...k,
    capabilities: [...k.capabilities, "characteristicMeans"],
    characteristicMeans: (x, step, harmonics) => {
      checkHarmonics(x.shape, harmonics);
      const mean = (y: Float64Tensor) => k.mean(y, [-1], "keep");
      const means = harmonics.flatMap((h) => {
        const angle = k.mul(x, h * step);
        return [mean(k.cos(angle)), mean(k.sin(angle))];
      });
      return k.concat(means, -1);
    },
  };
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
];

test.each(faults)("$name: noticed by the cases named", async ({ breakIt, noticedBy }) => {
  const adapter = wholeAdapter();
  const report = await runConformance({ ...adapter, ...breakIt(adapter) });
  expect(report.results.filter((r) => r.status === "failed").map((r) => r.id)).toEqual(noticedBy);
});

test("every fault is noticed by a case", () => {
  expect(faults.filter((fault) => fault.noticedBy.length === 0)).toEqual([]);
});
