import type { Shape } from "../contract.js";
import { sample, show } from "./by-index.js";
import {
  compareData,
  expectValues,
  gives,
  givesEach,
  tensor,
  type ConformanceCase,
} from "./conformance-case.js";

const shapes: readonly Shape[] = [[], [3], [1], [2, 3], [2, 1, 3], [2, 1, 3, 2], [0], [2, 0, 3]];

/** Fails unless `array` is a typed array of the adapter's precision. */
function isOfPrecision(array: unknown, precision: "float32" | "float64"): void {
  const kind = precision === "float64" ? "Float64Array" : "Float32Array";
  // By name: an array of another realm is one too.
  const got = Object.prototype.toString.call(array).slice("[object ".length, -1);
  if (got !== kind) throw new Error(`the values should be a ${kind}, got ${got}`);
}

/** What goes in and comes out, over ranks 0 to 4 and kinds of arrays. */
export const readingCases: readonly ConformanceCase[] = [
  ...givesEach("fromArray/ranks", "values", () =>
    shapes.map((shape) => {
      const x = sample(shape, 1);
      return {
        what: `shape ${show(shape)}`,
        inputs: [],
        call: (k) => k.fromArray(Object.freeze([...x.data]), Object.freeze([...shape])),
        result: x,
      };
    }),
  ),
  // Halved, because whole numbers of an integer tensor stay whole.
  ...givesEach("fromArray/kinds-of-arrays", "values", () =>
    [
      [1, 2, 3],
      Float32Array.of(1, 2, 3),
      Float64Array.of(1, 2, 3),
      Int32Array.of(1, 2, 3),
      Uint8Array.of(1, 2, 3),
      { length: 3, 0: 1, 1: 2, 2: 3 },
      Float64Array.of(9, 1, 2, 3, 9).subarray(1, 4),
    ].map((data: ArrayLike<number>) => ({
      what: Object.prototype.toString.call(data),
      inputs: [],
      call: (k) => k.div(k.fromArray(data, [3]), 2),
      result: tensor([3], 0.5, 1, 1.5),
    })),
  ),
  ...gives(
    "fromArray/special-values",
    [],
    (k) => k.fromArray([NaN, Infinity, -Infinity, 0, -0], [5]),
    tensor([5], NaN, Infinity, -Infinity, 0, -0),
  ),
  {
    id: "fromArray/copies-every-kind",
    needs: [],
    async run(k) {
      for (const data of [[1, 2], Float32Array.of(1, 2), Float64Array.of(1, 2)]) {
        const x = k.fromArray(data, [2]);
        data.fill(99);
        await expectValues(k, "the tensor after its source changed", x, tensor([2], 1, 2));
      }
    },
  },
  ...givesEach("fill/ranks", "values", () =>
    shapes.map((shape) => ({
      what: `shape ${show(shape)}`,
      inputs: [],
      call: (k) => k.fill(Object.freeze([...shape]), 1 / 3),
      result: { shape, data: sample(shape, 1).data.map(() => 1 / 3) },
    })),
  ),
  ...givesEach("fill/special-values", "values", () =>
    [NaN, Infinity, -Infinity, 0, -3, 1e30].map((value) => ({
      what: String(value),
      inputs: [],
      call: (k) => k.fill([2], value),
      result: tensor([2], value, value),
    })),
  ),
  // Halved, because a whole number that fills an integer tensor stays whole.
  ...gives("fill/whole-number", [], (k) => k.div(k.fill([1], 3), 2), tensor([1], 1.5)),
  {
    id: "read/ranks",
    needs: [],
    async run(k) {
      for (const shape of shapes) {
        const { data } = sample(shape, 1);
        const got = await k.read(k.neg(k.fromArray(data, shape)));
        isOfPrecision(got, k.precision);
        const rounded = k.precision === "float64" ? data : data.map(Math.fround);
        const expected = rounded.map((value) => -value);
        compareData(`shape ${show(shape)}`, got, expected, 0);
      }
    },
  },
  {
    id: "read/special-values",
    needs: [],
    async run(k) {
      const got = await k.read(k.fromArray([NaN, Infinity, -Infinity, 1], [4]));
      compareData("the values", got, [NaN, Infinity, -Infinity, 1], 0);
    },
  },
  {
    id: "read/new-array-each-time",
    needs: [],
    async run(k) {
      const x = k.neg(k.fromArray([1, 2], [2]));
      const [first, second] = [await k.read(x), await k.read(x)];
      first.fill(99);
      compareData("what was read before", second, [-1, -2], 0);
      // A view of the tensor's memory would show what is read later too.
      compareData("what is read afterwards", await k.read(x), [-1, -2], 0);
      second.fill(99);
      await expectValues(k, "the negative", k.neg(x), tensor([2], 1, 2));
    },
  },
  {
    id: "shape/ranks",
    needs: [],
    run(k) {
      for (const shape of shapes) {
        const { data } = sample(shape, 1);
        for (const x of [k.fromArray(data, shape), k.neg(k.fill(shape, 1))]) {
          const got: unknown = k.shape(x);
          if (!Array.isArray(got) || show(got) !== show(shape))
            return Promise.reject(new Error(`expected ${show(shape)}, got ${String(got)}`));
        }
      }
      return Promise.resolve();
    },
  },
  {
    id: "readSync/gives-a-copy",
    needs: ["readSync"],
    async run(k) {
      // Of a tensor as it was made, and of a result.
      const x = k.fromArray([1, 2], [2]);
      const y = k.neg(x);
      for (const one of [x, y]) k.readSync(one).fill(99);
      compareData("what is read of the tensor", k.readSync(x), [1, 2], 0);
      compareData("what is read of the result", k.readSync(y), [-1, -2], 0);
      await expectValues(k, "the tensor after a read copy changed", x, tensor([2], 1, 2));
      await expectValues(k, "the result after a read copy changed", y, tensor([2], -1, -2));
      (await k.read(x)).fill(99);
      compareData("what is read at once", k.readSync(x), [1, 2], 0);
    },
  },
  {
    id: "readSync/ranks",
    needs: ["readSync"],
    async run(k) {
      for (const shape of shapes) {
        const { data } = sample(shape, 1);
        const x = k.neg(k.fromArray(data, shape));
        const [atOnce, later] = [k.readSync(x), await k.read(x)];
        // As `read` gives it, to the last bit and of the same kind.
        compareData(`shape ${show(shape)}`, atOnce, Array.from(later), 0);
        const kinds = [atOnce, later].map((array) => Object.prototype.toString.call(array));
        if (kinds[0] !== kinds[1]) throw new Error(`expected ${kinds[1]}, got ${kinds[0]}`);
      }
    },
  },
  {
    id: "readSync/special-values",
    needs: ["readSync"],
    run(k) {
      return Promise.resolve().then(() => {
        const got = k.readSync(k.fromArray([NaN, Infinity, -Infinity, 1], [4]));
        compareData("the values", got, [NaN, Infinity, -Infinity, 1], 0);
      });
    },
  },
];
