import type { Shape, TensorAdapter } from "../contract.js";
import { sample, show } from "./by-index.js";
import {
  expectValues,
  gives,
  givesEach,
  tensor,
  upstream,
  type ConformanceCase,
  type Values,
} from "./conformance-case.js";

const shapes: readonly Shape[] = [
  ...[[], [3], [1], [2, 3], [2, 1, 3]],
  ...[[2, 1, 3, 2], [1, 2, 1, 3], [0], [2, 0]],
];

/** x², whose gradient is said to be 10 x dy, so that it cannot be mistaken for the true one. */
function tenfold<T>(k: TensorAdapter<T>, x: T): T {
  return k.customGradient(
    {
      forward: ([v]) => ({ value: k.square(v!), saved: [v!] }),
      backward: (dy, [v]) => [k.mul(dy, k.mul(v!, 10))],
    },
    [x],
  );
}

const times = (values: readonly number[], ...others: (readonly number[])[]) =>
  values.map((value, i) => others.reduce((product, other) => product * (other[i] ?? NaN), value));

const x3 = tensor([3], 1, -2, 3);
const both = ["valueAndGrad", "customGradient"] as const;

/** What `valueAndGrad` and `customGradient` promise of a whole function. */
export const gradientCases: readonly ConformanceCase[] = [
  {
    id: "valueAndGrad/ranks",
    needs: ["valueAndGrad"],
    async run(k) {
      // Of the sum of w x², for inputs of every shape at once.
      const inputs = shapes.map((shape, i) => sample(shape, i));
      const { value, grads } = k.valueAndGrad(
        (...xs) =>
          xs
            .map((x) => {
              const { shape, data } = upstream(k.shape(x));
              return k.sum(k.mul(k.square(x), k.fromArray(data, shape)));
            })
            .reduce((sum, term) => k.add(sum, term)),
        inputs.map(({ data, shape }) => k.fromArray(data, shape)),
      );
      const total = inputs.flatMap(({ data, shape }) => times(data, data, upstream(shape).data));
      await expectValues(
        k,
        "the value",
        value,
        tensor(
          [],
          total.reduce((a, b) => a + b),
        ),
      );
      for (const [i, { data, shape }] of inputs.entries())
        await expectValues(k, `the gradient of shape ${show(shape)}`, grads[i] as typeof value, {
          shape,
          data: times(data, upstream(shape).data).map((d) => 2 * d),
        });
    },
  },
  {
    id: "valueAndGrad/one-tensor-as-two-inputs",
    needs: ["valueAndGrad"],
    async run(k) {
      const x = k.fromArray([2], [1]);
      const { grads } = k.valueAndGrad((a, b) => k.sum(k.mul(k.square(a), b)), [x, x]);
      await expectValues(k, "the first gradient", grads[0]!, tensor([1], 8));
      await expectValues(k, "the second gradient", grads[1]!, tensor([1], 4));
    },
  },
  {
    id: "valueAndGrad/once-more",
    needs: ["valueAndGrad"],
    async run(k) {
      // Gradients do not add up from call to call.
      const x = k.fromArray(x3.data, x3.shape);
      for (const turn of ["first", "second"]) {
        const { grads } = k.valueAndGrad((a) => k.sum(k.square(a)), [x]);
        await expectValues(k, `the ${turn} gradient`, grads[0]!, tensor([3], 2, -4, 6));
      }
      const y = k.fromArray([5, 7, 9], [3]);
      const { grads } = k.valueAndGrad((a) => k.sum(k.square(a)), [y]);
      await expectValues(k, "the gradient elsewhere", grads[0]!, tensor([3], 10, 14, 18));
    },
  },
  {
    id: "valueAndGrad/the-input-itself",
    needs: ["valueAndGrad"],
    async run(k) {
      const x = k.fromArray([3], []);
      const { value, grads } = k.valueAndGrad((a) => a, [x]);
      await expectValues(k, "the value", value, tensor([], 3));
      await expectValues(k, "the gradient", grads[0]!, tensor([], 1));
    },
  },
  {
    id: "valueAndGrad/no-inputs",
    needs: ["valueAndGrad"],
    async run(k) {
      const { value, grads } = k.valueAndGrad(() => k.fill([], 2), []);
      await expectValues(k, "the value", value, tensor([], 2));
      if (grads.length !== 0) throw new Error(`expected no gradients, got ${grads.length}`);
    },
  },
  {
    id: "valueAndGrad/a-tensor-from-outside",
    needs: ["valueAndGrad"],
    async run(k) {
      const outside = k.fromArray([2, 3], [2]);
      const { value, grads } = k.valueAndGrad(
        (a) => k.sum(k.mul(a, outside)),
        [k.fromArray([5, 7], [2])],
      );
      await expectValues(k, "the value", value, tensor([], 31));
      await expectValues(k, "the gradient", grads[0]!, tensor([2], 2, 3));
      await expectValues(k, "the tensor from outside", outside, tensor([2], 2, 3));
    },
  },
  {
    id: "valueAndGrad/errors-pass-through",
    needs: ["valueAndGrad"],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const problem = new Error("of the function");
      try {
        k.valueAndGrad(
          (a) => {
            k.square(a);
            throw problem;
          },
          [x],
        );
        throw new Error("expected the function's error, but the call returned");
      } catch (error) {
        if (error !== problem) throw error;
      }
      const { grads } = k.valueAndGrad((a) => k.sum(k.square(a)), [x]);
      await expectValues(k, "the gradient afterwards", grads[0]!, tensor([2], 2, 4));
    },
  },
  {
    id: "valueAndGrad/with-scopes",
    needs: ["valueAndGrad"],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const { value, grads } = k.scope(() =>
        k.valueAndGrad(
          (a) => {
            const { cube } = k.scope(() => ({ cube: k.mul(k.square(a), a) }));
            return k.scope(() => k.sum(k.mul(cube, 2)));
          },
          [x],
        ),
      );
      await expectValues(k, "the value", value, tensor([], 18));
      await expectValues(k, "the gradient", grads[0]!, tensor([2], 6, 24));
      await expectValues(k, "the input", x, tensor([2], 1, 2));
    },
  },
  {
    id: "valueAndGrad/keeps-its-inputs",
    needs: ["valueAndGrad"],
    async run(k) {
      const inputs = [k.fromArray([1, 2], [2]), k.fromArray([3, 4], [2])];
      const { grads } = k.valueAndGrad((a, b) => {
        inputs.reverse();
        return k.sum(k.mul(k.square(a), b));
      }, inputs);
      await expectValues(k, "the first gradient", grads[0]!, tensor([2], 6, 16));
      await expectValues(k, "the second gradient", grads[1]!, tensor([2], 1, 4));
    },
  },
  ...givesEach(
    "customGradient/upstream-gradient",
    "values-and-gradients",
    () =>
      shapes.map((shape) => {
        const x = sample(shape, 1);
        return {
          what: `shape ${show(shape)}`,
          inputs: [x],
          call: tenfold,
          result: { shape, data: times(x.data, x.data) },
          gradients: [{ shape, data: times(x.data, upstream(shape).data).map((d) => 10 * d) }],
        };
      }),
    ["customGradient"],
  ),
  ...givesEach(
    "customGradient/between-other-calls",
    "values-and-gradients",
    () => [
      {
        // y = -(2 x)², said to be of slope 10 (2 x): dy/dx = -2 · 20 x
        what: "before and after",
        inputs: [x3],
        call: (k, x) => k.neg(tenfold(k, k.mul(x, 2))),
        result: tensor([3], -4, -16, -36),
        gradients: [tensor([3], -40 * 1.5, -80 * 2, -120 * 2.5)],
      },
      {
        what: "a part of the value",
        inputs: [x3],
        call: (k, x) => k.slice(tenfold(k, x), [1], [2]),
        result: tensor([2], 4, 9),
        gradients: [tensor([3], 0, -30, -60)],
      },
      {
        what: "the value repeated",
        inputs: [tensor([2, 1], 2, 3)],
        call: (k, x) => k.add(tenfold(k, x), k.fill([2, 2], 1)),
        result: tensor([2, 2], 5, 5, 10, 10),
        gradients: [tensor([2, 1], 20 * -0.5, 30 * -0.5)],
      },
      {
        what: "the value twice",
        inputs: [x3],
        call: (k, x) => {
          const y = tenfold(k, x);
          return k.mul(y, y);
        },
        result: tensor([3], 1, 16, 81),
        // 2 y · 10 x
        gradients: [tensor([3], 20 * 1.5, -160 * -2, 540 * 2.5)],
      },
      {
        what: "twice over",
        inputs: [x3],
        call: (k, x) => k.add(tenfold(k, x), k.mul(tenfold(k, k.neg(x)), 2)),
        result: tensor([3], 3, 12, 27),
        gradients: [tensor([3], 30 * 1.5, -60 * -2, 90 * 2.5)],
      },
      {
        what: "one within another",
        inputs: [x3],
        call: (k, x) =>
          k.customGradient(
            {
              forward: ([v]) => ({ value: k.sum(tenfold(k, v!), [0], "keep"), saved: [v!] }),
              backward: (dy, [v]) => [k.mul(dy, k.mul(v!, 3))],
            },
            [x],
          ),
        result: tensor([1], 14),
        gradients: [tensor([3], 4.5, -9, 13.5)],
      },
      {
        what: "within a scope",
        inputs: [x3],
        call: (k, x) => k.scope(() => tenfold(k, x)),
        result: tensor([3], 1, 4, 9),
        gradients: [tensor([3], 15, 40, 75)],
      },
    ],
    ["customGradient"],
  ),
  ...givesEach(
    "customGradient/several-inputs",
    "values-and-gradients",
    () => {
      const [a, b]: readonly [Values, Values] = [tensor([2, 1], 1, 2), tensor([3], 3, 4, 5)];
      const product = tensor([2, 3], 3, 4, 5, 6, 8, 10);
      const rule = <T>(k: TensorAdapter<T>, x: T, y: T) =>
        k.customGradient(
          {
            forward: ([v, w]) => ({ value: k.mul(v!, w!), saved: [w!, v!] }),
            backward: (dy, [w, v]) => [
              k.sum(k.mul(dy, k.mul(w!, 10)), [1], "keep"),
              k.mul(k.sum(k.mul(dy, v!), [0]), 100),
            ],
          },
          [x, y],
        );
      // Weights 1.5 -2 2.5 and -3 3.5 -4.
      const byA = tensor([2, 1], 10 * (4.5 - 8 + 12.5), 10 * (-9 + 14 - 20));
      const byB = tensor([3], 100 * (1.5 - 6), 100 * (-2 + 7), 100 * (2.5 - 8));
      return [
        {
          what: "of two shapes",
          inputs: [a, b],
          call: (k, x, y) => rule(k, x, y),
          result: product,
          gradients: [byA, byB],
        },
        {
          what: "the second a constant",
          inputs: [a],
          call: (k, x) => rule(k, x, k.fromArray(b.data, b.shape)),
          result: product,
          gradients: [byA],
        },
        {
          what: "the first a constant",
          inputs: [b],
          call: (k, y) => rule(k, k.fromArray(a.data, a.shape), y),
          result: product,
          gradients: [byB],
        },
        {
          what: "one tensor as both",
          inputs: [x3],
          call: (k, x) =>
            k.customGradient(
              {
                forward: ([v, w]) => ({ value: k.mul(v!, w!), saved: [] }),
                backward: (dy) => [k.mul(dy, 10), k.mul(dy, 100)],
              },
              [x, x],
            ),
          result: tensor([3], 1, 4, 9),
          gradients: [tensor([3], 165, -220, 275)],
        },
        {
          what: "one without influence",
          inputs: [x3, tensor([2], 8, 9)],
          call: (k, x, y) =>
            k.customGradient(
              {
                forward: ([v]) => ({ value: k.neg(v!), saved: [] }),
                backward: (dy) => [k.mul(dy, 10), k.fill([2], 0)],
              },
              [x, y],
            ),
          result: tensor([3], -1, 2, -3),
          gradients: [tensor([3], 15, -20, 25), tensor([2], 0, 0)],
        },
      ];
    },
    ["customGradient"],
  ),
  ...givesEach(
    "customGradient/saved-tensors",
    "values-and-gradients",
    () => [
      {
        what: "its value",
        inputs: [x3],
        call: (k, x) =>
          k.customGradient(
            {
              forward: ([v]) => {
                const value = k.square(v!);
                return { value, saved: [value] };
              },
              backward: (dy, [value]) => [k.mul(dy, value!)],
            },
            [x],
          ),
        result: tensor([3], 1, 4, 9),
        gradients: [tensor([3], 1.5, -8, 22.5)],
      },
      {
        what: "its input, its value and a third one, in this order",
        inputs: [x3],
        call: (k, x) =>
          k.customGradient(
            {
              forward: ([v]) => {
                const value = k.square(v!);
                return { value, saved: [v!, value, k.mul(v!, 3)] };
              },
              backward: (dy, [v, value, third]) => [
                k.mul(dy, k.add(k.mul(v!, 100), k.add(value!, third!))),
              ],
            },
            [x],
          ),
        result: tensor([3], 1, 4, 9),
        gradients: [tensor([3], 104 * 1.5, -202 * -2, 318 * 2.5)],
      },
      {
        what: "its input is its value",
        inputs: [x3],
        call: (k, x) =>
          k.customGradient(
            {
              forward: ([v]) => ({ value: v!, saved: [v!] }),
              backward: (dy, [v]) => [k.mul(dy, v!)],
            },
            [x],
          ),
        result: x3,
        gradients: [tensor([3], 1.5, 4, 7.5)],
      },
    ],
    ["customGradient"],
  ),
  {
    id: "customGradient/keeps-its-inputs",
    needs: both,
    async run(k) {
      const { value, grads } = k.valueAndGrad(
        (a, b) => {
          const inputs = [a, b];
          const y = k.customGradient(
            {
              forward: ([v, w]) => ({ value: k.mul(v!, w!), saved: [v!, w!] }),
              backward: (dy, [v, w]) => [k.mul(dy, w!), k.mul(dy, k.mul(v!, 10))],
            },
            inputs,
          );
          inputs.reverse();
          return k.sum(y);
        },
        [k.fromArray([2], [1]), k.fromArray([3], [1])],
      );
      await expectValues(k, "the value", value, tensor([], 6));
      await expectValues(k, "the first gradient", grads[0]!, tensor([1], 3));
      await expectValues(k, "the second gradient", grads[1]!, tensor([1], 20));
    },
  },
  ...givesEach(
    "allReduceMean/ranks",
    "values-and-gradients",
    () =>
      shapes.map((shape) => {
        const x = sample(shape, 1);
        return {
          what: `shape ${show(shape)}`,
          inputs: [x],
          call: (k, a) => k.allReduceMean(a),
          result: x,
          gradients: [upstream(shape)],
        };
      }),
    ["allReduceMean"],
  ),
  ...gives(
    "allReduceMean/special-values",
    [tensor([3], NaN, Infinity, -Infinity)],
    (k, x) => k.allReduceMean(x),
    tensor([3], NaN, Infinity, -Infinity),
    ["allReduceMean"],
  ),
  ...gives(
    "greaterEqual/gradient-of-zero",
    [tensor([2, 2], 1, -2, 3, 4), tensor([2], 2, 1)],
    (k, x, y) => k.greaterEqual(x, y),
    {
      ...tensor([2, 2], 0, 0, 1, 1),
      gradients: [tensor([2, 2], 0, 0, 0, 0), tensor([2], 0, 0)],
    },
  ),
];
