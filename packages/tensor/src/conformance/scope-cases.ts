import type { Shape } from "../contract.js";
import { sample, show } from "./by-index.js";
import { expectValues, tensor, type ConformanceCase } from "./conformance-case.js";

const shapes: readonly Shape[] = [[], [3], [1], [2, 3], [2, 1, 3], [2, 1, 3, 2], [0]];

/** What a scope gives back, and what it leaves alone. */
export const scopeCases: readonly ConformanceCase[] = [
  {
    id: "scope/ranks",
    needs: [],
    async run(k) {
      for (const shape of shapes) {
        const { data } = sample(shape, 1);
        const x = k.fromArray(data, shape);
        const twice = k.scope(() => k.neg(k.mul(x, -2)));
        const expected = { shape, data: data.map((value) => 2 * value) };
        await expectValues(k, `shape ${show(shape)}`, twice, expected);
      }
    },
  },
  {
    id: "dispose/ranks",
    needs: [],
    async run(k) {
      for (const shape of shapes) {
        const { data } = sample(shape, 1);
        const [x, y] = [k.fromArray(data, shape), k.fromArray(data, shape)];
        const opposite = k.neg(x);
        k.dispose(x);
        await expectValues(k, `shape ${show(shape)}: another`, y, { shape, data });
        const expected = { shape, data: data.map((value) => -value) };
        await expectValues(k, `shape ${show(shape)}: what was made of it`, opposite, expected);
        k.dispose(y);
      }
    },
  },
  {
    id: "scope/result-of-any-kind",
    needs: [],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const deep = k.scope(() => ({ list: [[k.neg(x)], { inner: k.mul(x, 3) }] as const, n: 7 }));
      await expectValues(k, "a tensor in a list of lists", deep.list[0][0], tensor([2], -1, -2));
      await expectValues(
        k,
        "a tensor in an object in a list",
        deep.list[1].inner,
        tensor([2], 3, 6),
      );
      const alone = k.scope(() => k.mul(x, 2));
      await expectValues(k, "a tensor alone", alone, tensor([2], 2, 4));
      const results = [
        deep.n,
        k.scope(() => "text"),
        k.scope(() => undefined),
        k.scope(() => null),
      ];
      if (show(results.map(String)) !== show(["7", "text", "undefined", "null"]))
        throw new Error(`expected what the body returned, got ${show(results.map(String))}`);
    },
  },
  {
    id: "scope/within-another",
    needs: [],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const { first, second, outside } = k.scope(() => {
        const twice = k.scope(() => k.mul(k.neg(x), -2));
        k.scope(() => {
          k.neg(twice);
        });
        return { first: twice, second: k.scope(() => [k.square(twice)]), outside: x };
      });
      await expectValues(k, "a tensor of the inner scope", first, tensor([2], 2, 4));
      await expectValues(k, "a tensor made of it", second[0]!, tensor([2], 4, 16));
      await expectValues(k, "a tensor from outside", outside, tensor([2], 1, 2));
    },
  },
  {
    id: "scope/errors-pass-through",
    needs: [],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const problem = new Error("of the body");
      try {
        k.scope(() => {
          k.neg(x);
          throw problem;
        });
        throw new Error("expected the body's error, but the call returned");
      } catch (error) {
        if (error !== problem) throw error;
      }
      await expectValues(k, "a tensor from outside", x, tensor([2], 1, 2));
      await expectValues(
        k,
        "a result afterwards",
        k.scope(() => k.neg(x)),
        tensor([2], -1, -2),
      );
    },
  },
  {
    id: "dispose/inside-a-scope",
    needs: [],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const kept = k.scope(() => {
        const between = k.neg(x);
        const result = k.mul(between, 3);
        k.dispose(between);
        return result;
      });
      await expectValues(k, "the result", kept, tensor([2], -3, -6));
      k.dispose(kept);
      await expectValues(k, "a tensor from outside", x, tensor([2], 1, 2));
    },
  },
];
