import {
  compareData,
  compareRatios,
  expectValues,
  gives,
  refuses,
  tensor,
  type ConformanceCase,
} from "./conformance-case.js";

const turn = 2 * Math.PI;
const root = Math.sqrt(3) / 2;

/** The optional functions; on an adapter that lacks one, its cases check that the call is refused. */
export const capabilityCases: readonly ConformanceCase[] = [
  {
    id: "readSync/values",
    needs: ["readSync"],
    run(k) {
      // Synchronous errors become a rejection, as the runner expects.
      return Promise.resolve().then(() =>
        compareData("the values", k.readSync(k.fromArray([1, 2.5], [2])), [1, 2.5], 0),
      );
    },
  },
  {
    id: "valueAndGrad/value-and-gradients",
    needs: ["valueAndGrad"],
    async run(k) {
      const inputs = [k.fromArray([1, 2], [2]), k.fromArray([3, 4], [2])];
      const { value, grads } = k.valueAndGrad((x, y) => k.sum(k.mul(k.square(x), y)), inputs);
      await expectValues(k, "the value", value, tensor([], 19));
      await expectValues(k, "the first gradient", grads[0] as typeof value, tensor([2], 6, 16));
      await expectValues(k, "the second gradient", grads[1] as typeof value, tensor([2], 1, 4));
    },
  },
  {
    id: "valueAndGrad/no-influence-is-zero",
    needs: ["valueAndGrad"],
    async run(k) {
      const inputs = [k.fromArray([1, 2], [2]), k.fromArray([3], [1])];
      const { grads } = k.valueAndGrad((x) => k.sum(x), inputs);
      await expectValues(
        k,
        "the gradient of an unused input",
        grads[1] as (typeof inputs)[0],
        tensor([1], 0),
      );
      const constant = k.valueAndGrad(() => k.fill([], 2), inputs);
      await expectValues(
        k,
        "the gradient of a constant",
        constant.grads[0] as (typeof inputs)[0],
        tensor([2], 0, 0),
      );
    },
  },
  {
    id: "valueAndGrad/value-used-by-many",
    needs: ["valueAndGrad"],
    async run(k) {
      // y = x²; f = sum(y exp(-y) + y)  ->  f' = 2x ((1 - y) exp(-y) + 1)
      const { grads } = k.valueAndGrad(
        (x) => {
          const y = k.square(x);
          return k.sum(k.add(k.mul(y, k.exp(k.neg(y))), y));
        },
        [k.fromArray([1, 0.5], [2])],
      );
      await expectValues(
        k,
        "the gradient",
        grads[0] as (typeof grads)[0],
        tensor([2], 2, 0.75 * Math.exp(-0.25) + 1),
      );
    },
  },
  ...refuses(
    "valueAndGrad/not-a-scalar",
    "shape-mismatch",
    (k) => k.valueAndGrad((x) => k.neg(x), [k.fill([2], 1)]),
    ["valueAndGrad"],
  ),
  ...gives(
    "customGradient/value",
    [tensor([2], 1, 2)],
    (k, x) =>
      k.customGradient(
        { forward: ([v]) => ({ value: k.square(v!), saved: [] }), backward: (dy) => [dy] },
        [x],
      ),
    tensor([2], 1, 4),
    ["customGradient"],
  ),
  {
    id: "customGradient/own-gradient-with-saved-tensors",
    needs: ["valueAndGrad", "customGradient"],
    async run(k) {
      // The value is x y, its gradient is said to be (10 y, 100 x), so that it cannot be mistaken for the true one.
      const { value, grads } = k.valueAndGrad(
        (x, y) =>
          k.sum(
            k.customGradient(
              {
                forward: ([a, b]) => {
                  const twice = k.mul(a!, 2);
                  return {
                    value: k.mul(a!, b!),
                    saved: [twice, b!],
                  };
                },
                backward: (dy, [twice, b]) => [
                  k.mul(dy, k.mul(b!, 10)),
                  k.mul(dy, k.mul(twice!, 50)),
                ],
              },
              [x, y],
            ),
          ),
        [k.fromArray([1, 2], [2]), k.fromArray([3, 4], [2])],
      );
      await expectValues(k, "the value", value, tensor([], 11));
      await expectValues(k, "the first gradient", grads[0] as typeof value, tensor([2], 30, 40));
      await expectValues(k, "the second gradient", grads[1] as typeof value, tensor([2], 100, 200));
    },
  },
  {
    id: "customGradient/backward-may-differentiate",
    needs: ["valueAndGrad", "customGradient"],
    async run(k) {
      // The cube of 2 x, whose backward pass asks for the gradient of the sum of cotangent times cube.
      const cube = (x: ReturnType<typeof k.neg>) => k.mul(k.square(x), x);
      const { value, grads } = k.valueAndGrad(
        (x) =>
          k.sum(
            k.customGradient(
              {
                forward: ([y]) => ({ value: cube(y!), saved: [y!] }),
                backward: (dy, [y]) =>
                  k.valueAndGrad((again) => k.sum(k.mul(cube(again), dy)), [y!]).grads,
              },
              [k.mul(x, 2)],
            ),
          ),
        [k.fromArray([1, 2], [2])],
      );
      await expectValues(k, "the value", value, tensor([], 72));
      await expectValues(k, "the gradient", grads[0] as typeof value, tensor([2], 24, 96));
    },
  },
  ...gives(
    "sort/last-axis",
    [tensor([2, 3], 3, 1, 2, -1, -3, -2)],
    (k, x) => k.sort(x, -1),
    {
      ...tensor([2, 3], 1, 2, 3, -3, -2, -1),
      gradients: [tensor([2, 3], 3, 1, 2, 6, 4, 5)],
    },
    ["sort"],
  ),
  ...gives(
    "sort/first-axis",
    [tensor([3, 2], 3, -1, 1, -3, 2, -2)],
    (k, x) => k.sort(x, 0),
    {
      ...tensor([3, 2], 1, -3, 2, -2, 3, -1),
      gradients: [tensor([3, 2], 5, 6, 1, 2, 3, 4)],
    },
    ["sort"],
  ),
  ...gives(
    "sort/equal-entries-keep-their-order",
    [tensor([4], 2, 1, 2, 1)],
    (k, x) => k.sort(x, 0),
    {
      ...tensor([4], 1, 1, 2, 2),
      gradients: [tensor([4], 3, 1, 4, 2)],
    },
    ["sort"],
  ),
  // Alone, a process is its own mean; the exchange itself is tested with the adapters that have one.
  ...gives(
    "allReduceMean/shape-is-kept",
    [tensor([2], 1, 2)],
    (k, x) => k.reshape(k.allReduceMean(x), [2]),
    tensor([2], 1, 2),
    ["allReduceMean"],
  ),
  // cos and sin of multiples of a third of a turn: 1 and 0, or -1/2 and ±sqrt(3)/2.
  ...gives(
    "characteristicMeans/rows",
    [tensor([2, 2], 0, turn / 3, turn / 3, turn / 3)],
    (k, x) => k.characteristicMeans(x, 1, [1, 3]),
    {
      ...tensor([2, 4], 0.25, root / 2, 1, 0, -0.5, root, 1, 0),
      // Weights 1, 2, 3, 4 and 5, 6, 7, 8, each half for two samples: the derivatives are those of a sum over h of
      // (-w sin(h x) + w' cos(h x)) h / 2.
      gradients: [
        tensor(
          [2, 2],
          ...[7, (-root + 2 * -0.5 + 12) / 2],
          ...Array.from({ length: 2 }, () => (-5 * root + 6 * -0.5 + 24) / 2),
        ),
      ],
    },
    ["characteristicMeans"],
  ),
  ...gives(
    "characteristicMeans/step-and-any-order-of-harmonics",
    [tensor([1], turn)],
    (k, x) => k.characteristicMeans(x, 1 / 12, [6, 3, 2]),
    tensor([6], -1, 0, 0, 1, 0.5, root),
    ["characteristicMeans"],
  ),
  ...gives(
    "characteristicMeans/leading-axes",
    [tensor([1, 2, 1], 0, turn / 2)],
    (k, x) => k.characteristicMeans(x, 1, [1]),
    tensor([1, 2, 2], 1, 0, -1, 0),
    ["characteristicMeans"],
  ),
  {
    id: "characteristicMeans/small-samples",
    needs: ["characteristicMeans"],
    async run(k) {
      const x = k.fromArray([-(2 ** -11)], [1]);
      const means = await k.read(k.characteristicMeans(x, 1, [1, 4]));
      const angles = [-(2 ** -11), -(2 ** -9)];
      const ratios = [1 - 2 ** -22 / 6 + 2 ** -44 / 120, 1 - 2 ** -18 / 6 + 2 ** -36 / 120];
      const sines = means.filter((_, i) => i % 2 === 1);
      compareRatios("the mean sine over its angle", sines, angles, ratios, k.precision);
    },
  },
  ...refuses(
    "characteristicMeans/scalar",
    "shape-mismatch",
    (k) => k.characteristicMeans(k.fill([], 1), 1, [1]),
    ["characteristicMeans"],
  ),
  ...refuses(
    "characteristicMeans/no-samples",
    "shape-mismatch",
    (k) => k.characteristicMeans(k.fill([2, 0], 1), 1, [1]),
    ["characteristicMeans"],
  ),
  ...[[], [0], [-1], [0.5]].flatMap((harmonics) =>
    refuses(
      `characteristicMeans/harmonics-[${harmonics.join()}]`,
      "invalid-argument",
      (k) => k.characteristicMeans(k.fill([2], 1), 1, harmonics),
      ["characteristicMeans"],
    ),
  ),
];
