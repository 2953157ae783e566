import {
  compareData,
  expectValues,
  gives,
  refuses,
  tensor,
  type ConformanceCase,
} from "./conformance-case.js";

/** Creation, reading, ownership. */
export const inOutCases: readonly ConformanceCase[] = [
  ...gives(
    "fromArray/row-major",
    [tensor([2, 3], 1, 2, 3, 4, 5, 6)],
    (k, x) => k.slice(x, [1, 0], [1, 2]),
    tensor([1, 2], 4, 5),
  ),
  ...gives("fromArray/scalar", [tensor([], 7)], (k, x) => k.neg(x), tensor([], -7)),
  ...gives("fromArray/empty", [tensor([0, 2])], (k, x) => k.neg(x), tensor([0, 2])),
  {
    id: "fromArray/copies-its-data",
    needs: [],
    async run(k) {
      const data = Float32Array.of(1, 2);
      const x = k.fromArray(data, [2]);
      data[0] = 99;
      await expectValues(k, "the tensor after its source changed", x, tensor([2], 1, 2));
    },
  },
  {
    id: "read/gives-a-copy",
    needs: [],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      (await k.read(x))[0] = 99;
      await expectValues(k, "the tensor after a read copy changed", x, tensor([2], 1, 2));
    },
  },
  {
    id: "read/precision",
    needs: [],
    async run(k) {
      const [third] = await k.read(k.fromArray([1 / 3], [1]));
      compareData(
        "a third",
        [third as number],
        [k.precision === "float64" ? 1 / 3 : Math.fround(1 / 3)],
        0,
      );
    },
  },
  ...refuses("fromArray/count-differs", "shape-mismatch", (k) => k.fromArray([1, 2, 3], [2, 2])),
  ...refuses("fromArray/negative-size", "shape-mismatch", (k) => k.fromArray([1], [-1, -1])),
  ...gives("fill/value", [], (k) => k.fill([2, 2], 2.5), tensor([2, 2], 2.5, 2.5, 2.5, 2.5)),
  {
    id: "scope/keeps-its-result",
    needs: [],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const { sum, list } = k.scope(() => {
        const twice = k.mul(x, 2);
        return { sum: k.sum(twice), list: [k.neg(twice)] };
      });
      await expectValues(k, "a tensor in an object", sum, tensor([], 6));
      await expectValues(k, "a tensor in a list", list[0] as typeof x, tensor([2], -2, -4));
      await expectValues(k, "a tensor from outside", x, tensor([2], 1, 2));
    },
  },
  {
    id: "dispose/leaves-others-alone",
    needs: [],
    async run(k) {
      const x = k.fromArray([1, 2], [2]);
      const same = k.reshape(x, [2, 1]);
      k.dispose(x);
      await expectValues(k, "a reshape of a disposed tensor", same, tensor([2, 1], 1, 2));
    },
  },
];
