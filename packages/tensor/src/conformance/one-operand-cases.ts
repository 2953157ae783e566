import type { Shape } from "../contract.js";
import { entries, entryAt, sample, show } from "./by-index.js";
import {
  compareRatios,
  gives,
  givesEach,
  tensor,
  upstream,
  type ConformanceCase,
} from "./conformance-case.js";

/** A function of one number with its derivative. */
interface Elementwise {
  readonly name: "neg" | "abs" | "square" | "exp" | "log" | "sqrt" | "sin" | "cos" | "tanh";
  readonly f: (x: number) => number;
  readonly slope: (x: number) => number;
  /** Where it is tried. */
  readonly from: number;
  readonly to: number;
  /** Its values at NaN, Infinity, -Infinity, 0 and -0. */
  readonly special: readonly [number, number, number, number, number];
}

const everywhere = { from: -2, to: 2 };
const above0 = { from: 0.5, to: 2.5 };
const elementwise: readonly Elementwise[] = [
  {
    name: "neg",
    f: (x) => -x,
    slope: () => -1,
    ...everywhere,
    special: [NaN, -Infinity, Infinity, 0, 0],
  },
  {
    name: "abs",
    f: Math.abs,
    slope: Math.sign,
    ...everywhere,
    special: [NaN, Infinity, Infinity, 0, 0],
  },
  {
    name: "square",
    f: (x) => x ** 2,
    slope: (x) => 2 * x,
    ...everywhere,
    special: [NaN, Infinity, Infinity, 0, 0],
  },
  {
    name: "exp",
    f: Math.exp,
    slope: Math.exp,
    ...everywhere,
    special: [NaN, Infinity, 0, 1, 1],
  },
  {
    name: "log",
    f: Math.log,
    slope: (x) => 1 / x,
    ...above0,
    special: [NaN, Infinity, NaN, -Infinity, -Infinity],
  },
  {
    name: "sqrt",
    f: Math.sqrt,
    slope: (x) => 0.5 / Math.sqrt(x),
    ...above0,
    special: [NaN, Infinity, NaN, 0, 0],
  },
  {
    name: "sin",
    f: Math.sin,
    slope: Math.cos,
    ...everywhere,
    special: [NaN, NaN, NaN, 0, 0],
  },
  {
    name: "cos",
    f: Math.cos,
    slope: (x) => -Math.sin(x),
    ...everywhere,
    special: [NaN, NaN, NaN, 1, 1],
  },
  {
    name: "tanh",
    f: Math.tanh,
    slope: (x) => 1 / Math.cosh(x) ** 2,
    ...everywhere,
    special: [NaN, 1, -1, 0, 0],
  },
];

const shapes: readonly Shape[] = [
  [],
  [4],
  [1],
  [2, 3],
  [1, 3],
  [2, 3, 2],
  [2, 1, 2],
  [2, 1, 3, 2],
  [1, 1, 1, 1],
  [0],
  [2, 0, 3],
];

function casesOf({ name, f, slope, from, to, special }: Elementwise): ConformanceCase[] {
  return [
    ...givesEach(`${name}/ranks`, "values-and-gradients", () =>
      shapes.map((shape) => {
        const x = sample(shape, 1, from, to);
        const weights = upstream(shape);
        return {
          what: `shape ${show(shape)}`,
          inputs: [x],
          call: (k, a) => k[name](a),
          result: { shape, data: x.data.map(f) },
          gradients: [
            entries(shape, (index) => entryAt(weights, index) * slope(entryAt(x, index))),
          ],
        };
      }),
    ),
    ...gives(
      `${name}/special-values`,
      [tensor([5], NaN, Infinity, -Infinity, 0, -0)],
      (k, x) => k[name](x),
      tensor([5], ...special),
    ),
  ];
}

/** A function where its values are small and should have all their digits: their ratios to `over`. */
function keepsDigits(
  id: string,
  name: Elementwise["name"],
  xs: readonly number[],
  over: readonly number[],
  ratios: readonly number[],
): ConformanceCase {
  return {
    id,
    needs: [],
    async run(k) {
      const values = await k.read(k[name](k.fromArray(xs, [xs.length])));
      compareRatios(`${name} over its size`, values, over, ratios, k.precision);
    },
  };
}

const [tiny, small] = [2 ** -40, 2 ** -10];
// 1024 and 10000 are exact in float32; sines and cosines computed to 30 digits elsewhere.
const [sine1024, cosine1024] = [-0.158533380043996, 0.987353618219848];
const [sine10000, cosine10000] = [-0.3056143888882521, -0.952155368259015];

/** Functions of one operand, over ranks 0 to 4, and where they are not finite, large or small. */
export const oneOperandCases: readonly ConformanceCase[] = [
  ...elementwise.flatMap(casesOf),
  {
    id: "neg/sign-of-zero",
    needs: [],
    async run(k) {
      const quotients = await k.read(k.div(1, k.neg(k.fromArray([0, -0], [2]))));
      if (quotients[0] !== -Infinity || quotients[1] !== Infinity)
        throw new Error(
          `1 / -0 and 1 / 0 should be -Infinity and Infinity, got ${quotients.join()}`,
        );
    },
  },
  {
    id: "abs/gradient-at-zero",
    needs: ["valueAndGrad"],
    async run(k) {
      const { grads } = k.valueAndGrad((x) => k.sum(k.abs(x)), [k.fromArray([0], [1])]);
      const [slope = NaN] = await k.read(grads[0] as (typeof grads)[0]);
      if (!(Math.abs(slope) <= 1)) throw new Error(`a number in [-1, 1], got ${slope}`);
    },
  },
  // e^-10 and e^-20 to 16 digits.
  keepsDigits(
    "exp/small-values",
    "exp",
    [-10, -20],
    [4.539992976248485e-5, 2.061153622438558e-9],
    [1, 1],
  ),
  keepsDigits("sqrt/small-values", "sqrt", [tiny, small ** 2], [2 ** -20, small], [1, 1]),
  keepsDigits("square/small-values", "square", [tiny, -tiny], [tiny ** 2, tiny ** 2], [1, 1]),
  // log(1 + x) / x = 1 - x/2 + x²/3 - x³/4 + x⁴/5, tanh x / x = 1 - x²/3 + 2x⁴/15
  keepsDigits(
    "log/near-one",
    "log",
    [1 + small, 1 - small],
    [small, -small],
    [small, -small].map((x) => 1 - x / 2 + x ** 2 / 3 - x ** 3 / 4 + x ** 4 / 5),
  ),
  keepsDigits(
    "tanh/small-arguments",
    "tanh",
    [small, -small],
    [small, -small],
    [small, -small].map((x) => 1 - x ** 2 / 3 + (2 * x ** 4) / 15),
  ),
  ...givesEach("tanh/large-arguments", "values-and-gradients", () => [
    {
      what: "±100 and ±1000",
      inputs: [tensor([4], 100, -100, 1000, -1000)],
      call: (k, x) => k.tanh(x),
      result: tensor([4], 1, -1, 1, -1),
      gradients: [tensor([4], 0, 0, 0, 0)],
    },
  ]),
  ...givesEach("sin/large-arguments-of-both-signs", "values-and-gradients", () => [
    {
      what: "±1024 and ±10000",
      inputs: [tensor([4], 1024, -1024, 10000, -10000)],
      call: (k, x) => k.sin(x),
      result: tensor([4], sine1024, -sine1024, sine10000, -sine10000),
      gradients: [
        tensor([4], 1.5 * cosine1024, -2 * cosine1024, 2.5 * cosine10000, -3 * cosine10000),
      ],
    },
  ]),
  ...givesEach("cos/large-arguments", "values-and-gradients", () => [
    {
      what: "±1024 and ±10000",
      inputs: [tensor([4], 1024, -1024, 10000, -10000)],
      call: (k, x) => k.cos(x),
      result: tensor([4], cosine1024, cosine1024, cosine10000, cosine10000),
      gradients: [tensor([4], -1.5 * sine1024, -2 * sine1024, -2.5 * sine10000, -3 * sine10000)],
    },
  ]),
];
