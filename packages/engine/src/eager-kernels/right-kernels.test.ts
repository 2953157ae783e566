import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { withBackend } from "../active-backend.js";
import { createEagerEngine } from "../eager-engine.js";
import {
  floats,
  kernelCalls,
  windowCases,
  type KernelCall,
  type WindowCase,
} from "./kernel-calls.js";
import { trustedKernels } from "./trusted-kernels.js";

const backends = ["wasm", "cpu"] as const;
beforeAll(async () => {
  for (const backend of backends) await createEagerEngine(backend);
  await tf.setBackend("cpu");
});

interface Result {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: readonly number[];
}

/** The kernels of the wasm backend that calls have reached, each noted before it runs. */
const reached = new Set<string>();

const isOpen = (tensors: number): boolean => tf.memory().numTensors === tensors;

/** The results of a call on the active backend. */
function resultsOf(run: KernelCall["run"]): Result[] {
  const before = tf.memory().numTensors;
  const results = tf.tidy(() =>
    [run()].flat().map((tensor) => {
      const data = Array.from(tensor.dataSync());
      if (data.length !== tensor.size) throw new Error(`${data.length} numbers of ${tensor.size}`);
      return { shape: tensor.shape, dtype: tensor.dtype, data };
    }),
  );
  if (!isOpen(before)) throw new Error("Tensors are left over.");
  return results;
}

const resultsOn = (backend: string, run: KernelCall["run"]): Result[] =>
  withBackend(backend, () => resultsOf(run));

/** Of all calls, or why one failed; changing the backend takes long. */
const allOn = (backend: string): (Result[] | string)[] =>
  withBackend(backend, () =>
    kernelCalls.map(({ run }) => {
      try {
        return resultsOf(run);
      } catch (error) {
        return (error as Error).message;
      }
    }),
  );

/** As {@link allOn} of wasm, while the kernels are noted. */
function allOnWasm(): (Result[] | string)[] {
  const engine = tf.engine() as unknown as { runKernel: (name: string, ...rest: never[]) => never };
  const runKernel = engine.runKernel.bind(engine);
  engine.runKernel = (name, ...rest) => {
    reached.add(name);
    return runKernel(name, ...rest);
  };
  try {
    return allOn("wasm");
  } finally {
    delete (engine as Partial<typeof engine>).runKernel;
  }
}

let onCpu: readonly (Result[] | string)[];
let onWasm: readonly (Result[] | string)[];
beforeAll(() => {
  onCpu = allOn("cpu");
  onWasm = allOnWasm();
});

const isEqual = (a: number, b: number, allowed: number): boolean =>
  Object.is(a, b) || a === b || Math.abs(a - b) <= allowed;

/** Kernels that add up: their rounding is relative to the largest of their results, not to each. */
const adds =
  /^(BatchMatMul|_Fused|Fused|Conv|Depthwise|Sum|Mean|Avg|LRN|Resize|Cum|Crop|Rotate|Transform|Prod)/;

describe("the kernels of wasm give what those of cpu give", () => {
  const groups = new Map<string, number[]>();
  kernelCalls.forEach(({ title }, i) => {
    const name = title.split(" ")[0]!;
    const group = groups.get(name);
    if (group) group.push(i);
    else groups.set(name, [i]);
  });
  test.each([...groups.entries()])("%s", (name, calls) => {
    expect(calls.length).toBeGreaterThan(0);
    for (const at of calls) {
      const [wanted, got, { title }] = [onCpu[at]!, onWasm[at]!, kernelCalls[at]!];
      if (typeof wanted === "string" || typeof got === "string")
        expect.fail(`${title}: on cpu ${failure(wanted)}, on wasm ${failure(got)}`);
      const kinds = (results: Result[]) => results.map(({ shape, dtype }) => [shape, dtype]);
      expect(kinds(got), title).toEqual(kinds(wanted));
      wanted.forEach(({ data }, k) => {
        const largest = data.reduce(
          (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
          0,
        );
        data.forEach((value, i) => {
          const other = got[k]!.data[i]!;
          const size = adds.test(name) ? largest : Math.abs(value);
          // Half a step of the smallest numbers.
          if (!isEqual(value, other, 4e-6 * size + 1.2e-38))
            expect.fail(`${title}: result ${k}[${i}] is ${other} on wasm, ${value} on cpu`);
        });
      });
    }
  });
});

const failure = (results: Result[] | string): string =>
  typeof results === "string" ? `it fails (${results})` : "it runs";

/** Kernels of wasm that no call reaches, and why. */
const unreached: Readonly<Record<string, string>> = {
  LogicalXor: "tf.logicalXor is made of other kernels",
  Multinomial: "its results are random, and a step draws no numbers",
  StringNGrams: "text is not numbers",
  StringSplit: "text is not numbers",
  StringToHashBucketFast: "text is not numbers",
};

test("every kernel of wasm is compared, or left out for a reason", () => {
  const all = tf.getKernelsForBackend("wasm").map(({ kernelName }) => kernelName);
  const ours = all.filter((name) => !name.startsWith("Lejepa"));
  expect(ours.length).toBeGreaterThan(150);
  expect(ours.filter((name) => !reached.has(name) && !(name in unreached))).toEqual([]);
  expect(Object.keys(unreached).filter((name) => reached.has(name))).toEqual([]);
});

test("every kernel of wasm has a line that says for which operands it is right", () => {
  const composedHere = ["Conv2DBackpropFilter", "UnsortedSegmentSum"];
  const gradients = ["DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNativeBackpropInput"];
  const names = tf
    .getKernelsForBackend("wasm")
    .map(({ kernelName }) => kernelName)
    .filter((name) => !name.startsWith("Lejepa"))
    .filter((name) => ![...composedHere, ...gradients].includes(name));
  expect(names.filter((name) => !(name in trustedKernels))).toEqual([]);
});

/** Where formulas are exact: the operands as float32 numbers, the results in float64, rounded once. */
const numbers = [
  ...[0, -0, 1e-40, -1e-7, 1e-7, 0.3, -0.3, 0.5, 1, -1, 1.5, -2.5, 3, 9, -9, 17.5, -17.5, 80, -80],
  ...[1e10, -1e10, 3e38, -3e38, Infinity, -Infinity, NaN],
].map(Math.fround);

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const formulas: Readonly<
  Record<string, readonly [(x: tf.Tensor) => tf.Tensor, (x: number) => number]>
> = {
  abs: [tf.abs, Math.abs],
  acos: [tf.acos, Math.acos],
  acosh: [tf.acosh, Math.acosh],
  asin: [tf.asin, Math.asin],
  asinh: [tf.asinh, Math.asinh],
  atan: [tf.atan, Math.atan],
  atanh: [tf.atanh, Math.atanh],
  ceil: [tf.ceil, Math.ceil],
  cos: [tf.cos, Math.cos],
  cosh: [tf.cosh, Math.cosh],
  elu: [tf.elu, (x) => (x > 0 ? x : Math.expm1(x))],
  exp: [tf.exp, Math.exp],
  expm1: [tf.expm1, Math.expm1],
  floor: [tf.floor, Math.floor],
  leakyRelu: [(x) => tf.leakyRelu(x, 0.5), (x) => (x < 0 ? 0.5 * x : x)],
  log: [tf.log, Math.log],
  log1p: [tf.log1p, Math.log1p],
  neg: [tf.neg, (x) => -x],
  reciprocal: [tf.reciprocal, (x) => 1 / x],
  relu: [tf.relu, (x) => Math.max(0, x)],
  relu6: [tf.relu6, (x) => Math.min(6, Math.max(0, x))],
  rsqrt: [tf.rsqrt, (x) => 1 / Math.sqrt(x)],
  sigmoid: [tf.sigmoid, sigmoid],
  sign: [tf.sign, Math.sign],
  sin: [tf.sin, Math.sin],
  sinh: [tf.sinh, Math.sinh],
  softplus: [tf.softplus, (x) => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)))],
  sqrt: [tf.sqrt, Math.sqrt],
  square: [tf.square, (x) => x * x],
  tan: [tf.tan, Math.tan],
  tanh: [tf.tanh, Math.tanh],
};

/** tfjs has 0 for the sign of NaN. */
const signOfNaN = new Set(["sign"]);

describe.each(backends)("on %s", (backend) => {
  test.each(Object.entries(formulas))(
    "%s is right to float32's rounding",
    (name, [op, formula]) => {
      const [{ data }] = resultsOn(backend, () => op(tf.tensor1d(numbers))) as [Result];
      numbers.forEach((x, i) => {
        const wanted = signOfNaN.has(name) && Number.isNaN(x) ? 0 : Math.fround(formula(x));
        const allowed = 2e-6 * Math.abs(wanted) + 1.2e-38;
        expect(isEqual(wanted, data[i]!, allowed), `of ${x}: ${wanted}, got ${data[i]!}`).toBe(
          true,
        );
      });
    },
  );

  test("products of matrices, batches that repeat one another among them", () => {
    const [a, b] = [floats([2, 1, 3, 5], 1), floats([4, 5, 2], 2)];
    const [x, w] = [a.dataSync(), b.dataSync()];
    const [{ shape, data }] = resultsOn(backend, () =>
      tf.matMul(floats([2, 1, 3, 5], 1), floats([4, 5, 2], 2)),
    ) as [Result];
    expect(shape).toEqual([2, 4, 3, 2]);
    data.forEach((value, at) => {
      const [p, q, m, n] = [at / 24, (at / 6) % 4, (at / 2) % 3, at % 2].map(Math.floor) as [
        number,
        number,
        number,
        number,
      ];
      let sum = 0;
      for (let k = 0; k < 5; k++) sum += x[p * 15 + m * 5 + k]! * w[q * 10 + k * 2 + n]!;
      expect(value).toBeCloseTo(sum, 5);
    });
  });

  test("sums and means of many numbers", () => {
    const [sum, mean, rows, product] = resultsOn(backend, () => [
      tf.sum(tf.fill([300_000], 0.1)),
      tf.mean(tf.fill([300_000], 0.1)),
      tf.sum(tf.fill([20_000, 2], 0.1), 0),
      tf.matMul(tf.fill([1, 400_000], 0.1), tf.ones([400_000, 1])),
    ]).map(({ data }) => data[0]!);
    const tenth = Math.fround(0.1);
    expect(sum! / (300_000 * tenth)).toBeCloseTo(1, 6);
    expect(mean! / tenth).toBeCloseTo(1, 6);
    expect(rows! / (20_000 * tenth)).toBeCloseTo(1, 6);
    expect(product! / (400_000 * tenth)).toBeCloseTo(1, 4);
  });

  test("convolutions and pooling by their definitions", () => {
    expect(windowCases.length).toBeGreaterThan(100);
    withBackend(backend, () => {
      for (const one of windowCases) compareWithDefinition(one);
    });
  });
});

/** For each output the pixels of the image that its taps meet. */
function each(
  { images, size, strides, dilations, pad }: WindowCase,
  visit: (n: number, output: number, pixels: (readonly [tap: number, pixel: number])[]) => void,
): void {
  const [batch, height, width] = images;
  const axes = ([height, width] as const).map((input, axis) => {
    const [stride, dilation] = [strides[axis]!, dilations[axis]!];
    const reach = (size[axis]! - 1) * dilation + 1;
    if (pad === "same") {
      const outputs = Math.ceil(input / stride);
      const total = Math.max(0, (outputs - 1) * stride + reach - input);
      return { outputs, before: Math.floor(total / 2), stride, dilation, input };
    }
    const [before, after] = pad === "valid" ? [0, 0] : pad[axis + 1]!;
    const outputs = Math.floor((input + before + after - reach) / stride) + 1;
    return { outputs, before, stride, dilation, input };
  });
  const [rows, columns] = axes as [(typeof axes)[0], (typeof axes)[0]];
  let output = 0;
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < rows.outputs; i++)
      for (let j = 0; j < columns.outputs; j++, output++) {
        const pixels: [number, number][] = [];
        for (let a = 0; a < size[0]; a++)
          for (let b = 0; b < size[1]; b++) {
            const y = i * rows.stride + a * rows.dilation - rows.before;
            const x = j * columns.stride + b * columns.dilation - columns.before;
            if (y >= 0 && y < height && x >= 0 && x < width)
              pixels.push([a * size[1] + b, (n * height + y) * width + x]);
          }
        visit(n, output, pixels);
      }
}

function compareWithDefinition(one: WindowCase): void {
  const { images, size, strides, dilations, pad } = one;
  const [, , , channels] = images;
  // Below zero, where maxima that start at 0 are lost.
  const below = () => tf.sub<tf.Tensor4D>(floats(images), 3);
  const weights = () => floats([...size, channels, 2], 2) as tf.Tensor4D;
  const x = tf.tidy(() => below().dataSync());
  const w = tf.tidy(() => weights().dataSync());
  const plain = dilations.every((d) => d === 1);
  const isPooling = plain && (typeof pad === "string" || (size[0] > 1 && size[1] > 2));
  const got = resultsOf(() => [
    tf.conv2d(below(), weights(), strides, pad, "NHWC", dilations),
    tf.depthwiseConv2d(below(), weights(), strides, pad, "NHWC", dilations),
    ...(isPooling
      ? [
          tf.maxPool(below(), size, strides, pad),
          tf.avgPool(below(), size, strides, pad),
          tf.grad((t) => tf.sum(tf.maxPool(t as tf.Tensor4D, size, strides, pad)))(below()),
          tf.grad((t) => tf.sum(tf.avgPool(t as tf.Tensor4D, size, strides, pad)))(below()),
        ]
      : []),
  ]).map(({ data }) => data);
  const wanted = got.map((data) => new Float64Array(data.length));
  each(one, (_n, output, pixels) => {
    for (const [tap, pixel] of pixels)
      for (let c = 0; c < channels; c++)
        for (let o = 0; o < 2; o++) {
          const product = x[pixel * channels + c]! * w[(tap * channels + c) * 2 + o]!;
          wanted[0]![output * 2 + o]! += product;
          wanted[1]![(output * channels + c) * 2 + o]! += product;
        }
    if (!isPooling) return;
    for (let c = 0; c < channels; c++) {
      const values = pixels.map(([, pixel]) => x[pixel * channels + c]!);
      const largest = Math.max(...values);
      wanted[2]![output * channels + c] = largest;
      wanted[3]![output * channels + c] = values.reduce((a, b) => a + b, 0) / values.length;
      wanted[4]![pixels[values.indexOf(largest)]![1] * channels + c]! += 1;
      for (const [, pixel] of pixels) wanted[5]![pixel * channels + c]! += 1 / pixels.length;
    }
  });
  wanted.forEach((values, k) => {
    values.forEach((value, i) => {
      if (!isEqual(value, got[k]![i]!, 1e-5 * Math.max(1, Math.abs(value))))
        expect.fail(
          `${JSON.stringify(one)}: result ${k}[${i}] is ${got[k]![i]!}, should be ${value}`,
        );
    });
  });
}
