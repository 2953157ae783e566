import type { Capability, TensorAdapter } from "../contract.js";
import { sample } from "./by-index.js";
import {
  expectValues,
  gives,
  givesEach,
  tensor,
  type Call,
  type ConformanceCase,
  type Values,
} from "./conformance-case.js";

type Owned = readonly [what: string, inputs: readonly Values[], call: Call];

/** That a result is the caller's own: what is read of it and of its inputs are copies, it outlives its inputs, and they
 *  outlive it. The calls are those that leave values as they are, where sharing is tempting. */
function owns(
  name: string,
  calls: readonly Owned[],
  needs: readonly Capability[] = [],
): ConformanceCase {
  return {
    id: `${name}/ownership`,
    needs,
    async run(k) {
      for (const [what, inputs, call] of calls) {
        const given = inputs.map((x) => k.fromArray(x.data, x.shape));
        const result = call(k, ...given);
        const expected = { shape: [...k.shape(result)], data: Array.from(await k.read(result)) };
        const isStill = (after: string) =>
          expectValues(k, `${what}: the result after ${after}`, result, expected);
        const areStill = async (after: string, xs: typeof given) => {
          for (const [i, x] of xs.entries())
            await expectValues(k, `${what}: input ${i} after ${after}`, x, inputs[i] as Values);
        };
        (await k.read(result)).fill(99);
        await isStill("what was read of it changed");
        await areStill("what was read of the result changed", given);
        for (const x of given) (await k.read(x)).fill(99);
        await isStill("what was read of its inputs changed");
        await areStill("what was read of it changed", given);
        for (const x of given) k.dispose(x);
        await isStill("its inputs were disposed");
        k.dispose(result);
        const again = inputs.map((x) => k.fromArray(x.data, x.shape));
        k.dispose(call(k, ...again));
        await areStill("the result was disposed", again);
      }
    },
  };
}

const scalar = tensor([], 1.5);
const x23 = sample([2, 3], 1, 0.5, 2);
const zeros = tensor([2, 3], 0, 0, 0, 0, 0, 0);
const ones = tensor([2, 3], 1, 1, 1, 1, 1, 1);
const rising = tensor([3], 1, 2, 3);
const big = tensor([], 99);

const reduction = (name: "sum" | "mean" | "max" | "min"): ConformanceCase =>
  owns(name, [
    ["no axes", [x23], (k, x) => k[name](x, [])],
    ["a scalar", [scalar], (k, x) => k[name](x)],
    ["axes of size 1, kept", [tensor([1, 3], 1, 2, 3)], (k, x) => k[name](x, [0], "keep")],
    ["axes of size 1, dropped", [tensor([1, 3], 1, 2, 3)], (k, x) => k[name](x, [0])],
    ["an axis", [x23], (k, x) => k[name](x, [1])],
  ]);

const elementwise = (
  name: "neg" | "abs" | "square" | "exp" | "log" | "sqrt" | "sin" | "cos" | "tanh",
): ConformanceCase =>
  owns(name, [
    ["ones", [ones], (k, x) => k[name](x)],
    ["zeros", [zeros], (k, x) => k[name](x)],
    ["a scalar", [scalar], (k, x) => k[name](x)],
    ["positive numbers", [x23], (k, x) => k[name](x)],
  ]);

/** A call that changes a list of the caller's after an adapter has seen it. */
function thenChanged<List extends { fill(value: number): unknown }, R>(
  list: List,
  use: (list: List) => R,
): R {
  const result = use(list);
  list.fill(0);
  return result;
}

const listCases: readonly ConformanceCase[] = [
  ...gives(
    "fromArray/keeps-its-shape",
    [],
    (k) => thenChanged([2, 1], (shape) => k.fromArray([1, 2], shape)),
    tensor([2, 1], 1, 2),
  ),
  ...gives(
    "fill/keeps-its-shape",
    [],
    (k) => thenChanged([2, 1], (shape) => k.fill(shape, 3)),
    tensor([2, 1], 3, 3),
  ),
  ...(["sum", "mean", "max", "min"] as const).flatMap((name) =>
    givesEach(`${name}/keeps-its-axes`, "values-and-gradients", () => [
      {
        what: "a list that changes after the call",
        inputs: [tensor([2, 1, 2], 1, 2, 3, 4)],
        call: (k, x) => thenChanged([1], (axes) => k[name](x, axes)),
        result: tensor([2, 2], 1, 2, 3, 4),
        gradients: [tensor([2, 1, 2], 1.5, -2, 2.5, -3)],
      },
    ]),
  ),
  ...givesEach("reshape/keeps-its-shape", "values-and-gradients", () => [
    {
      what: "a list that changes after the call",
      inputs: [tensor([4], 1, 2, 3, 4)],
      call: (k, x) => thenChanged([2, 2], (shape) => k.reshape(x, shape)),
      result: tensor([2, 2], 1, 2, 3, 4),
      gradients: [tensor([4], 1.5, -2, 2.5, -3)],
    },
  ]),
  ...givesEach("transpose/keeps-its-permutation", "values-and-gradients", () => [
    {
      what: "a list that changes after the call",
      inputs: [tensor([2, 2], 1, 2, 3, 4)],
      call: (k, x) => thenChanged([1, 0], (permutation) => k.transpose(x, permutation)),
      result: tensor([2, 2], 1, 3, 2, 4),
      gradients: [tensor([2, 2], 1.5, 2.5, -2, -3)],
    },
  ]),
  ...givesEach("slice/keeps-its-block", "values-and-gradients", () => [
    {
      what: "lists that change after the call",
      inputs: [tensor([4], 1, 2, 3, 4)],
      call: (k, x) =>
        thenChanged([1], (begin) => thenChanged([2], (size) => k.slice(x, begin, size))),
      result: tensor([2], 2, 3),
      gradients: [tensor([4], 0, 1.5, -2, 0)],
    },
  ]),
  ...givesEach("concat/keeps-its-tensors", "values-and-gradients", () => [
    {
      what: "a list that changes after the call",
      inputs: [tensor([1], 1), tensor([2], 2, 3)],
      call: (k, x, y) => {
        const list = [x, y];
        const joined = k.concat(list, 0);
        list.reverse();
        return joined;
      },
      result: tensor([3], 1, 2, 3),
      gradients: [tensor([1], 1.5), tensor([2], -2, 2.5)],
    },
  ]),
  ...givesEach("gather/keeps-its-indices", "values-and-gradients", () =>
    [() => [2, 1, 2], () => Int32Array.of(2, 1, 2)].map((indices) => ({
      what: "a list that changes after the call",
      inputs: [tensor([3], 1, 2, 3)],
      call: (k, x) => thenChanged(indices(), (list) => k.gather(x, list, 0)),
      result: tensor([3], 3, 2, 3),
      gradients: [tensor([3], 0, -2, 4)],
    })),
  ),
  ...givesEach(
    "characteristicMeans/keeps-its-harmonics",
    "values-and-gradients",
    () => [
      {
        what: "a list that changes after the call",
        inputs: [tensor([1], Math.PI / 2)],
        call: (k, x) => thenChanged([1, 2], (list) => k.characteristicMeans(x, 1, list)),
        result: tensor([4], 0, 1, -1, 0),
        // -1.5 sin(x) - 2 cos(x) - 5 sin(2 x) - 6 cos(2 x)
        gradients: [tensor([1], -1.5 + 6)],
      },
    ],
    ["characteristicMeans"],
  ),
];

/** The first tensor, when the others are given up. */
function butOne<T>(k: TensorAdapter<T>, [first, ...others]: readonly T[]): T {
  others.forEach((x) => k.dispose(x));
  return first!;
}

/** Who owns what: tensors, the arrays that are read of them, and the lists that calls are given. */
export const ownershipCases: readonly ConformanceCase[] = [
  owns("fromArray", [
    ["values", [], (k) => k.fromArray([1, 2], [2])],
    [
      "the same values twice",
      [],
      (k) =>
        butOne(
          k,
          [1, 2].map(() => k.fromArray([3, 4], [2])),
        ),
    ],
  ]),
  owns("fill", [
    ["values", [], (k) => k.fill([2], 1)],
    [
      "the same value twice",
      [],
      (k) =>
        butOne(
          k,
          [1, 2].map(() => k.fill([2], 3)),
        ),
    ],
  ]),
  owns("add", [
    ["zero", [x23], (k, x) => k.add(x, 0)],
    ["zero first", [x23], (k, x) => k.add(0, x)],
    ["zeros", [x23, zeros], (k, x, y) => k.add(x, y)],
    ["two of rank 0", [scalar, scalar], (k, x, y) => k.add(x, y)],
  ]),
  owns("sub", [
    ["zero", [x23], (k, x) => k.sub(x, 0)],
    ["zeros", [x23, zeros], (k, x, y) => k.sub(x, y)],
  ]),
  owns("mul", [
    ["one", [x23], (k, x) => k.mul(x, 1)],
    ["one first", [x23], (k, x) => k.mul(1, x)],
    ["ones", [x23, ones], (k, x, y) => k.mul(x, y)],
  ]),
  owns("div", [
    ["one", [x23], (k, x) => k.div(x, 1)],
    ["ones", [x23, ones], (k, x, y) => k.div(x, y)],
  ]),
  owns("maximum", [
    ["a number below", [x23], (k, x) => k.maximum(x, -99)],
    ["zeros", [x23, zeros], (k, x, y) => k.maximum(x, y)],
    ["zeros first", [zeros, x23], (k, x, y) => k.maximum(x, y)],
  ]),
  owns("minimum", [
    ["a number above", [x23], (k, x) => k.minimum(x, 99)],
    ["a scalar above", [x23, big], (k, x, y) => k.minimum(x, y)],
    ["a scalar above, first", [big, x23], (k, x, y) => k.minimum(x, y)],
  ]),
  owns("greaterEqual", [["ones", [ones], (k, x) => k.greaterEqual(x, 1)]]),
  owns("where", [
    ["ones", [ones, x23, zeros], (k, m, x, y) => k.where(m, x, y)],
    ["zeros", [zeros, ones, x23], (k, m, x, y) => k.where(m, x, y)],
    ["ones and a number", [ones, x23], (k, m, x) => k.where(m, x, 0)],
  ]),
  ...(["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh"] as const).map(
    elementwise,
  ),
  ...(["sum", "mean", "max", "min"] as const).map(reduction),
  owns("matMul", [
    ["the identity", [x23, tensor([3, 3], 1, 0, 0, 0, 1, 0, 0, 0, 1)], (k, x, y) => k.matMul(x, y)],
    ["one", [tensor([1, 1], 1), tensor([1, 1], 2)], (k, x, y) => k.matMul(x, y)],
  ]),
  owns("reshape", [
    ["its own shape", [x23], (k, x) => k.reshape(x, [2, 3])],
    ["another shape", [x23], (k, x) => k.reshape(x, [6])],
    ["a scalar", [scalar], (k, x) => k.reshape(x, [])],
  ]),
  owns("transpose", [
    ["as it is", [x23], (k, x) => k.transpose(x, [0, 1])],
    ["turned", [x23], (k, x) => k.transpose(x)],
    ["a vector", [rising], (k, x) => k.transpose(x)],
    ["a scalar", [scalar], (k, x) => k.transpose(x)],
  ]),
  owns("slice", [
    ["all of it", [x23], (k, x) => k.slice(x, [0, 0], [2, 3])],
    ["a row", [x23], (k, x) => k.slice(x, [1, 0], [1, 3])],
    ["a scalar", [scalar], (k, x) => k.slice(x, [], [])],
  ]),
  owns("concat", [
    ["one tensor", [x23], (k, x) => k.concat([x], 0)],
    ["one tensor and nothing", [rising, tensor([0])], (k, x, y) => k.concat([x, y], 0)],
    ["two tensors", [rising, rising], (k, x, y) => k.concat([x, y], 0)],
  ]),
  owns("gather", [
    ["all rows", [x23], (k, x) => k.gather(x, [0, 1], 0)],
    ["one row", [x23], (k, x) => k.gather(x, [1], 0)],
  ]),
  owns("scope", [["a product", [x23], (k, x) => k.scope(() => k.mul(x, 1))]]),
  owns(
    "sort",
    [
      ["what is in order", [rising], (k, x) => k.sort(x, 0)],
      ["an axis of size 1", [x23], (k, x) => k.reshape(k.sort(k.reshape(x, [6, 1]), 1), [6])],
      ["one entry", [tensor([1], 2)], (k, x) => k.sort(x, 0)],
      ["no entries", [tensor([0])], (k, x) => k.sort(x, 0)],
    ],
    ["sort"],
  ),
  owns(
    "customGradient",
    [
      [
        "a value of its own",
        [x23],
        (k, x) =>
          k.customGradient(
            { forward: ([v]) => ({ value: k.neg(v!), saved: [v!] }), backward: (dy) => [dy] },
            [x],
          ),
      ],
      [
        "its input as the value",
        [x23],
        (k, x) =>
          k.customGradient(
            { forward: ([v]) => ({ value: v!, saved: [] }), backward: (dy) => [dy] },
            [x],
          ),
      ],
    ],
    ["customGradient"],
  ),
  owns(
    "valueAndGrad",
    [
      ["its input as the value", [scalar], (k, x) => k.valueAndGrad((y) => y, [x]).value],
      [
        "a tensor from outside as the value",
        [scalar],
        (k, x) => k.valueAndGrad(() => x, [k.fill([2], 1)]).value,
      ],
      [
        "the gradient that is its input",
        [scalar, tensor([], 2)],
        (k, x, y) => k.valueAndGrad((a) => k.mul(a, y), [x]).grads[0]!,
      ],
      [
        "a gradient of a sum",
        [x23, x23],
        (k, x, y) => {
          const { value, grads } = k.valueAndGrad((a, b) => k.sum(k.add(a, b)), [x, y]);
          k.dispose(value);
          k.dispose(grads[0]!);
          return grads[1]!;
        },
      ],
      [
        "a value whose gradients are gone",
        [x23],
        (k, x) => {
          const { value, grads } = k.valueAndGrad((a) => k.sum(a), [x]);
          grads.forEach((gradient) => k.dispose(gradient));
          return value;
        },
      ],
    ],
    ["valueAndGrad"],
  ),
  owns("allReduceMean", [["a tensor", [x23], (k, x) => k.allReduceMean(x)]], ["allReduceMean"]),
  owns(
    "characteristicMeans",
    [["two samples", [tensor([2], 0, 1)], (k, x) => k.characteristicMeans(x, 1, [1])]],
    ["characteristicMeans"],
  ),
  ...listCases,
];
