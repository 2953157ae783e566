import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { backends } from "../test/differentiation.js";
import { compositeKernel } from "./composite-kernel.js";

/** y = (x w) + b with b optional, squared to h = y^2 for the gradient only; counts which gradients were computed. */
const asked: string[] = [];
const scale = compositeKernel({
  kernelName: "LejepaTestScale",
  outputs: ["y", "half"],
  forward: (
    { x, w, b }: { x: tf.Tensor; w: tf.Tensor; b?: tf.Tensor },
    { factor }: { factor: number },
  ) => {
    const product = tf.mul(tf.mul(x, w), factor);
    return { y: b === undefined ? product : tf.add(product, b), half: tf.mul(x, factor) };
  },
  gradient: {
    saves: ["w", "half"],
    rule: ({ y: dy }, { w, half }, { factor }) => {
      const thunk = (name: string, gradient: () => tf.Tensor) => () => {
        asked.push(name);
        return gradient();
      };
      return {
        x: thunk("x", () => tf.mul(tf.mul(dy, w), factor)),
        w: thunk("w", () => tf.mul(dy, half)),
        b: thunk("b", () => tf.clone(dy)),
      };
    },
  },
});

describe.each(backends)("a composite kernel on %s", (backend) => {
  const start = async () => {
    await tf.setBackend(backend);
    asked.length = 0;
    return { x: tf.tensor([1, 2]), w: tf.tensor([3, 5]), b: tf.tensor([1, 1]) };
  };

  test("is composed at the first call, and leaves only its results behind", async () => {
    const inputs = await start();
    const before = tf.memory().numTensors;
    const results = scale(inputs, { factor: 10 });
    expect(results.length).toBe(1);
    expect([...results[0]!.dataSync()]).toEqual([31, 101]);
    expect(tf.memory().numTensors).toBe(before + 1);
    expect(tf.getKernel("LejepaTestScale", backend)).toBeDefined();
    tf.dispose([results, inputs]);
  });

  test("computes only the gradients that are asked for, and leaks nothing", async () => {
    const { x, w, b } = await start();
    const before = tf.memory();
    const gradient = tf.grad((x: tf.Tensor) => scale({ x, w, b }, { factor: 10 })[0]!)(x);
    expect([...gradient.dataSync()]).toEqual([30, 50]);
    expect(asked).toEqual(["x"]);
    gradient.dispose();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
    tf.dispose([x, w, b]);
  });

  test("takes its gradient from what it saved of its inputs and outputs", async () => {
    const { x, w, b } = await start();
    const [dx, dw, db] = tf.grads(
      (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) => scale({ x, w, b }, { factor: 10 })[0]!,
    )([x, w, b]) as [tf.Tensor, tf.Tensor, tf.Tensor];
    expect([...dx.dataSync()]).toEqual([30, 50]);
    expect([...dw.dataSync()]).toEqual([10, 20]);
    expect([...db.dataSync()]).toEqual([1, 1]);
    tf.dispose([x, w, b, dx, dw, db]);
  });

  test("works without its optional input", async () => {
    const { x, w, b } = await start();
    const dw = tf.grad((w: tf.Tensor) => scale({ x, w }, { factor: 1 })[0]!)(w);
    expect([...dw.dataSync()]).toEqual([1, 2]);
    tf.dispose([x, w, b, dw]);
  });
});

test("a backend's own kernel of the name runs in place of the composition, with the same gradient", async () => {
  tf.registerBackend("its-own", () => tf.findBackend("cpu"), 0);
  tf.registerKernel({
    kernelName: "LejepaTestScale",
    backendName: "its-own",
    kernelFunc: ({ inputs }) => {
      const { x } = inputs as { x: tf.Tensor };
      return [tf.fill(x.shape, 7), tf.fill(x.shape, 2)];
    },
  });
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend("cpu")) {
    if (tf.getKernel(kernelName, "its-own") == null) {
      tf.registerKernel({ kernelName, kernelFunc, backendName: "its-own" });
    }
  }
  await tf.setBackend("its-own");
  const { value, grad } = tf.valueAndGrad(
    (w: tf.Tensor) => scale({ x: tf.tensor([1, 2]), w }, { factor: 1 })[0]!,
  )(tf.tensor([3, 5]));
  expect([...value.dataSync()]).toEqual([7, 7]);
  expect([...grad.dataSync()]).toEqual([2, 2]); // dy times its own second output
  await tf.setBackend("cpu");
});

test("a kernel without a gradient says so when it is differentiated", async () => {
  await tf.setBackend("cpu");
  const plain = compositeKernel({
    kernelName: "LejepaTestPlain",
    outputs: ["y"],
    forward: ({ x }: { x: tf.Tensor }) => ({ y: tf.mul(x, 2) }),
  });
  expect([...plain({ x: tf.tensor([4]) }, {})[0]!.dataSync()]).toEqual([8]);
  expect(() => tf.grad((x: tf.Tensor) => plain({ x }, {})[0]!)(tf.tensor([4]))).toThrow(
    "gradient function not found for LejepaTestPlain",
  );
});
