import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test, vi } from "vitest";
import { exampleCases } from "./conformance/cases.js";
import { runConformance } from "./conformance/run-conformance.js";
import { tfjsAdapter } from "./tfjs.js";

beforeAll(async () => {
  tf.enableProdMode(); // no advertisement in the test output
  await tf.setBackend("cpu");
});

test("scope disposes what is not in its result", () => {
  const k = tfjsAdapter();
  const before = tf.memory().numTensors;
  const { kept } = k.scope(() => {
    const x = k.fromArray([1, 2], [2]);
    return { kept: k.exp(k.mul(x, 2)) };
  });
  expect(tf.memory().numTensors).toBe(before + 1);
  k.dispose(kept);
  expect(tf.memory().numTensors).toBe(before);
});

test("a gradient leaves only its results behind", () => {
  const k = tfjsAdapter();
  const x = k.fromArray([3, 1, 2], [3]);
  const before = tf.memory().numTensors;
  const { value, grads } = k.valueAndGrad((y) => k.sum(k.square(k.sort(y, 0))), [x]);
  expect(tf.memory().numTensors).toBe(before + 2);
  tf.dispose([value, grads, x]);
});

test("a backward pass may differentiate, and leaves nothing behind either", () => {
  const k = tfjsAdapter();
  const x = k.fromArray([1, 2, 3], [3]);
  const before = tf.memory().numTensors;
  // x³, whose backward pass asks for the gradient of the sum of cotangent times x³.
  const cube = (y: tf.Tensor): tf.Tensor => k.mul(k.square(y), y);
  const { value, grads } = k.valueAndGrad(
    (y) =>
      k.sum(
        k.customGradient(
          {
            forward: ([z]) => ({ value: cube(z!), saved: [z!] }),
            backward: (dy, [z]) =>
              k.valueAndGrad((again) => k.sum(k.mul(cube(again), dy)), [z!]).grads,
          },
          [k.mul(y, 2)],
        ),
      ),
    [x],
  );
  expect([...value.dataSync()]).toEqual([8 + 64 + 216]);
  expect([...grads[0]!.dataSync()]).toEqual([24, 96, 216]);
  tf.dispose([value, grads]);
  expect(tf.memory().numTensors).toBe(before);
});

test("the gradient of gather is the adapter's own, whichever tfjs has", () => {
  const k = tfjsAdapter();
  const before = tf.getGradient("GatherV2");
  tf.registerGradient({
    kernelName: "GatherV2",
    gradFunc: () => {
      throw new Error("this backend has no such kernel");
    },
  });
  try {
    const x = k.fromArray([1, 2, 3, 4], [2, 2]);
    const { grads } = k.valueAndGrad((y) => k.sum(k.square(k.gather(y, [1, 1], 1))), [x]);
    expect([...k.readSync(grads[0]!)]).toEqual([0, 8, 0, 16]);
  } finally {
    tf.unregisterGradient("GatherV2");
    if (before !== undefined) tf.registerGradient(before);
  }
});

test("the sum of nothing is zero on wasm, whatever was in its memory", async () => {
  await tf.setBackend("wasm");
  try {
    const k = tfjsAdapter();
    for (let i = 0; i < 20; i++) k.dispose(k.fill([2], 1));
    const nothing = k.fill([2, 0], 1);
    expect([...k.readSync(k.sum(nothing, [1]))]).toEqual([0, 0]);
    expect([...k.readSync(k.mean(nothing, [1], "keep"))]).toEqual([NaN, NaN]);
    const { grads } = k.valueAndGrad((x) => k.sum(x), [nothing]);
    expect(k.shape(grads[0]!)).toEqual([2, 0]);
  } finally {
    await tf.setBackend("cpu");
  }
});

test("a scope that disposes its result is noticed", async () => {
  const k = tfjsAdapter();
  const broken: typeof k = {
    ...k,
    scope: (body) => {
      const result = body();
      tf.dispose(result as tf.TensorContainer);
      return result;
    },
  };
  const report = await runConformance(broken, exampleCases);
  expect(report.results.filter((r) => r.status === "failed").map((r) => r.id)).toEqual([
    "scope/keeps-its-result",
  ]);
});

test("no function of the contract but read and readSync looks at a value", async () => {
  const k = tfjsAdapter();
  const methods = ["data", "dataSync", "array", "arraySync", "buffer", "bufferSync"] as const;
  const spies = methods.map((method) => vi.spyOn(tf.Tensor.prototype, method));
  const looks = () => spies.reduce((total, spy) => total + spy.mock.calls.length, 0);
  let allowed = 0;
  await runConformance({
    ...k,
    read: async (x) => {
      const before = looks();
      const data = await k.read(x);
      allowed += looks() - before;
      return data;
    },
    readSync: (x) => {
      const before = looks();
      const data = k.readSync(x);
      allowed += looks() - before;
      return data;
    },
  });
  expect(allowed).toBeGreaterThan(100);
  expect(looks()).toBe(allowed);
  spies.forEach((spy) => spy.mockRestore());
});

test("gradients of a program that loads tfjs-core alone are there for the adapter's own kernels", () => {
  tfjsAdapter();
  const x = tf.tensor1d([1, 2]);
  expect([
    ...tf
      .grad((y) => tf.sum(tf.mul(tf.sin(y), y)))(x)
      .dataSync(),
  ]).toEqual([
    expect.closeTo(Math.sin(1) + Math.cos(1), 5),
    expect.closeTo(Math.sin(2) + 2 * Math.cos(2), 5),
  ]);
});

test("processes make allReduceMean a capability, which is what it was given", async () => {
  const k = tfjsAdapter({ processes: { count: 2, allReduceMean: (x) => tf.mul(x, 10) } });
  expect(k.capabilities).toContain("allReduceMean");
  expect(k.processes).toBe(2);
  expect([...k.allReduceMean(k.fromArray([1, 2], [2])).dataSync()]).toEqual([10, 20]);
  // Of one process the mean is its own.
  const alone = tfjsAdapter({ processes: { count: 1, allReduceMean: (x) => x.clone() } });
  const report = await runConformance(alone);
  expect(report.results.filter(({ status }) => status === "failed")).toEqual([]);
  expect(tfjsAdapter()).not.toHaveProperty("processes");
});
