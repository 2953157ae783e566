import { expect, test } from "vitest";
import { float64Adapter } from "./float64.js";

const k = float64Adapter();

test("a gradient of a gradient is a second derivative", () => {
  // f = sum(x³ / 3), df = x², d²f = 2x
  const first = (x: ReturnType<typeof k.neg>) =>
    k.valueAndGrad((y) => k.sum(k.div(k.mul(y, k.square(y)), 3)), [x]).grads[0]!;
  const x = k.fromArray([1, -2, 3], [3]);
  expect([...first(x).data]).toEqual([1, 4, 9].map((value) => expect.closeTo(value, 12) as number));
  const second = k.valueAndGrad((y) => k.sum(first(y)), [x]).grads[0]!;
  expect([...second.data]).toEqual([2, -4, 6].map((value) => expect.closeTo(value, 12) as number));
});

test("the same tensor given twice has two gradients", () => {
  const x = k.fromArray([2], [1]);
  const { grads } = k.valueAndGrad((a, b) => k.sum(k.mul(k.square(a), b)), [x, x]);
  expect(grads.map((g) => g.data[0])).toEqual([8, 4]);
});

test("an error inside the function leaves no tape behind", () => {
  expect(() =>
    k.valueAndGrad(() => {
      throw new Error("inside");
    }, [k.fill([], 1)]),
  ).toThrow("inside");
  expect(k.valueAndGrad((x) => k.square(x), [k.fill([], 3)]).grads[0]?.data[0]).toBe(6);
});
