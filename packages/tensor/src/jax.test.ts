import { defaultDevice, grad, init, jit, numpy as np, valueAndGrad, vmap } from "@jax-js/jax";
import { expect, test } from "vitest";
import { runConformance } from "./conformance/run-conformance.js";
import { jaxAdapter } from "./jax.js";

const k = jaxAdapter();
/** sum(x² y), written in calls of the contract. */
const energy = (x: np.Array, y: np.Array) => k.sum(k.mul(k.square(x), y));

test("calls take no reference from their arguments", () => {
  const [x, y] = [k.fromArray([3, 1, 2], [3]), k.fill([3], 2)];
  const results = [k.add(x, y), k.where(x, x, y), k.sum(x, []), k.concat([x], 0), k.sort(x, 0)];
  const { value, grads } = k.valueAndGrad((a, b) => energy(k.sort(a, 0), b), [x, y]);
  expect([x, y].map((a) => a.refCount)).toEqual([1, 1]);
  [...results, value, ...grads].forEach((a) => k.dispose(a));
  expect([x, y].map((a) => a.refCount)).toEqual([1, 1]);
  expect([...k.readSync(x)]).toEqual([3, 1, 2]);
});

test("scope gives up what is not in its result, and an outer one what an inner one kept", () => {
  const outside = k.fill([2], 1);
  let inner: np.Array | undefined;
  let between: np.Array | undefined;
  const { kept, list } = k.scope(() => {
    inner = k.scope(() => {
      between = k.neg(outside);
      return k.neg(between);
    });
    return { kept: k.add(inner, outside), list: [outside] };
  });
  expect([inner, between].map((a) => a?.refCount)).toEqual([0, 0]);
  expect([kept, outside].map((a) => a.refCount)).toEqual([1, 1]);
  expect(list[0] === outside).toBe(true);
});

test("a tensor that is disposed inside a scope is left alone at its end", () => {
  const x = k.scope(() => {
    const y = k.fill([], 3);
    const z = k.scope(() => {
      const twice = k.add(y, y);
      k.dispose(y);
      return twice;
    });
    return z;
  });
  expect(x.refCount).toBe(1);
});

test("an error leaves no scope open and nothing made inside alive", () => {
  let made: np.Array | undefined;
  const x = k.fill([2], 1);
  const fails = () => {
    made = k.neg(x);
    throw new Error("inside");
  };
  expect(() => k.scope(fails)).toThrow("inside");
  expect(made?.refCount).toBe(0);
  expect(() => k.valueAndGrad(fails, [x])).toThrow("inside");
  const after = k.neg(x);
  expect(after.refCount).toBe(1);
});

test("jax-js differentiates, compiles and batches functions written with it", () => {
  const y = k.fromArray([1, 2], [2]);
  const loss = (x: np.Array) => {
    const value = k.scope(() => energy(x, y));
    x.dispose();
    return value;
  };
  const x = k.fromArray([3, -1], [2]);
  expect(grad(loss)(x.ref).js()).toEqual([6, -4]);
  const step = jit(valueAndGrad(loss));
  for (let i = 0; i < 2; i++) {
    const [value, gradient] = step(x.ref);
    expect([value.js(), gradient.js()]).toEqual([11, [6, -4]]);
  }
  expect(vmap(loss)(np.stack([x.ref, y.ref])).js()).toEqual([11, 9]);
  step.dispose();
  expect([x, y].map((a) => a.refCount)).toEqual([1, 1]);
});

test("a gradient of one's own is used by jax-js's grad too, and leaves its operands alone", () => {
  const factor = k.fill([2], 10);
  let saved: np.Array | undefined;
  const loss = (x: np.Array) => {
    const value = k.scope(() =>
      k.sum(
        k.customGradient(
          {
            forward: ([v]) => {
              saved = k.mul(v!, factor);
              return { value: k.square(v!), saved: [saved] };
            },
            backward: (dy, [tenfold]) => [k.mul(dy, tenfold!)],
          },
          [x],
        ),
      ),
    );
    x.dispose();
    return value;
  };
  const x = k.fromArray([3, -1], [2]);
  expect(grad(loss)(x.ref).js()).toEqual([30, -10]);
  expect(loss(x.ref).js()).toBe(10);
  expect([x, factor, saved].map((a) => a?.refCount)).toEqual([1, 1, 0]);
});

test("a rule whose gradients have other shapes than its inputs is refused", () => {
  const x = k.fill([2], 1);
  expect(() =>
    k.valueAndGrad(
      (v) =>
        k.customGradient(
          {
            forward: ([a]) => ({ value: k.sum(a!), saved: [] }),
            backward: (dy) => [dy],
          },
          [v],
        ),
      [x],
    ),
  ).toThrow(expect.objectContaining({ code: "shape-mismatch" }));
});

test("sine and cosine keep their digits up to 10,000", () => {
  const angles = Float32Array.from({ length: 20_001 }, (_, i) => i - 10_000 + 0.3);
  const x = k.fromArray(angles, [angles.length]);
  const furthest = (got: ArrayLike<number>, f: (angle: number) => number) =>
    angles.reduce((most, angle, i) => Math.max(most, Math.abs(got[i]! - f(angle))), 0);
  expect(furthest(k.readSync(k.sin(x)), Math.sin)).toBeLessThan(6e-7);
  expect(furthest(k.readSync(k.cos(x)), Math.cos)).toBeLessThan(6e-7);
});

test("every promise is kept on jax-js's interpreted device too", async () => {
  expect(await init("cpu")).toContain("cpu");
  const before = defaultDevice();
  defaultDevice("cpu");
  try {
    const report = await runConformance(jaxAdapter());
    expect(report.results.filter((r) => r.status === "failed")).toEqual([]);
  } finally {
    defaultDevice(before);
  }
});
