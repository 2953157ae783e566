import "@lejepa/ops";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../../tools/backend-names.mjs";
import { needs } from "../../../../tools/backends.js";
import { createEagerEngine } from "../../src/eager-engine.js";
import type { Engine, Step } from "../../src/engine.js";
import { loweringTable } from "../../src/kernels/table.js";
import { createOnnxEngine } from "../../src/onnx-engine.js";
import { createTensorFlowEngine } from "../../src/tensorflow-engine.js";
import { compositeSamples } from "./composite-samples.js";
import type { Sample } from "./sample.js";
import { differentiable, valuesOf } from "./sample-values.js";
import { samples } from "./samples.js";

let eager: Engine;
let onnx: Engine;
let gathered: Engine;
let tensorflow: Engine | undefined;
beforeAll(async () => {
  eager = await createEagerEngine("cpu");
  onnx = await createOnnxEngine({ threads: 1 });
  gathered = await createOnnxEngine({ threads: 1, convolution: "gathered" });
  if (namedBackends.includes("tensorflow"))
    tensorflow = await createTensorFlowEngine({ thread: "main" });
});
afterAll(async () => {
  await eager.dispose();
  await onnx.dispose();
  await gathered.dispose();
  await tensorflow?.dispose();
});

/** The values y0, y1, .. and, weighted by numbers that tell elements apart, the gradients g0, g1, .. */
function stepOf(kernel: string, sample: Sample): Step {
  const names = sample.inputs.map((_, i) => `x${i}`);
  const results = (inputs: tf.Tensor[]): tf.Tensor[] => [sample.run(...inputs)].flat();
  return (_state, given) => {
    const inputs = names.map((name) => given[name]!);
    const outputs: Record<string, tf.Tensor> = {};
    results(inputs).forEach((y, i) => (outputs[`y${i}`] = y));
    if (differentiable(kernel, sample)) {
      const floats = inputs.filter(({ dtype }) => dtype === "float32");
      const weighted = (...xs: tf.Tensor[]): tf.Scalar => {
        const all = inputs.map((input) => (input.dtype === "float32" ? xs.shift()! : input));
        return tf.addN(
          results(all)
            .filter(({ dtype }) => dtype === "float32")
            .map((y) => tf.sum(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape)))),
        );
      };
      tf.grads(weighted)(floats).forEach((g, i) => (outputs[`g${i}`] = tf.div(g, 10)));
    }
    return { state: {}, outputs };
  };
}

async function compare(kernel: string, sample: Sample, engine: Engine): Promise<void> {
  const spec = {
    state: {},
    inputs: Object.fromEntries(
      sample.inputs.map(({ shape, dtype }, i) => [`x${i}`, { shape, ...(dtype && { dtype }) }]),
    ),
  };
  const inputs = Object.fromEntries(sample.inputs.map((input, i) => [`x${i}`, valuesOf(input, i)]));
  const step = stepOf(kernel, sample);
  const [expected, actual] = [await eager.compile(step, spec), await engine.compile(step, spec)];
  const [wanted, got] = [await expected.run(inputs), await actual.run(inputs)];
  await expected.dispose();
  await actual.dispose();
  expect(Object.keys(got)).toEqual(Object.keys(wanted));
  const tolerance = sample.tolerance ?? 1e-5;
  for (const [name, { shape, data }] of Object.entries(wanted)) {
    expect(got[name]!.shape, name).toEqual(shape);
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const scale = name.startsWith("g") ? largest : 1;
    data.forEach((value, i) => {
      const other = got[name]!.data[i]!;
      const allowed = tolerance * Math.max(scale, Math.abs(value));
      const equal =
        Object.is(value, other) || value === other || Math.abs(value - other) <= allowed;
      expect(equal, `${name}[${i}] should be ${value}, got ${other}`).toBe(true);
    });
  }
}

describe("each lowered kernel gives what tfjs's cpu backend gives", () => {
  for (const [kernel, rows] of Object.entries(samples))
    if (!(kernel in compositeSamples))
      test.each(rows)(`${kernel}: $title`, async (sample) => {
        await compare(kernel, sample, onnx);
      });
});

describe("each composite kernel gives what its composition gives on tfjs's cpu backend", () => {
  for (const [kernel, rows] of Object.entries(compositeSamples))
    test.each(rows)(`${kernel}: $title`, async (sample) => {
      await compare(kernel, sample, onnx);
    });
});

describe("without the blocked layout convolutions and pooling give the same", () => {
  for (const kernel of Object.keys(samples).filter((name) => /Conv2d|Conv2D|Pool/.test(name)))
    test.each(samples[kernel]!)(`${kernel}: $title`, async (sample) => {
      await compare(kernel, sample, gathered);
    });
});

describe("each kernel gives on TensorFlow what tfjs's cpu backend gives", () => {
  for (const [kernel, rows] of Object.entries(samples))
    test.for(rows)(`${kernel}: $title`, async (sample, context) => {
      needs("tensorflow", context);
      await compare(kernel, sample, tensorflow!);
    });
});

test("every lowered kernel has samples, and every sample's kernel is lowered", () => {
  const lowered = Object.keys(loweringTable).filter(
    (name) => typeof loweringTable[name] === "function",
  );
  expect(Object.keys(samples).sort()).toEqual(lowered.sort());
  for (const rows of Object.values(samples)) expect(rows.length).toBeGreaterThan(0);
});
