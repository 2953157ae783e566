import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { withBackend } from "./active-backend.js";
import { createEagerEngine } from "./eager-engine.js";
import { samples, type Sample, type SampleInput } from "./kernels/samples.js";

const names = [
  "Conv2DBackpropFilter",
  "DepthwiseConv2dNativeBackpropFilter",
  "DepthwiseConv2dNativeBackpropInput",
  "UnsortedSegmentSum",
];
const rows = names.flatMap((name) => samples[name]!.map((sample) => [name, sample] as const));

const tensorOf = ({ shape, dtype, values }: SampleInput): tf.Tensor => {
  const size = shape.reduce((product, length) => product * length, 1);
  const numbers = values ?? Array.from({ length: size }, (_, i) => Math.sin(1.3 * i + 1));
  return tf.tensor([...numbers], [...shape], dtype ?? "float32");
};

const valuesOn = (backend: string, { inputs, run }: Sample): number[] =>
  withBackend(backend, () => {
    const before = tf.memory().numTensors;
    const values = tf.tidy(() =>
      Array.from((run(...inputs.map(tensorOf)) as tf.Tensor).dataSync()),
    );
    expect(tf.memory().numTensors).toBe(before);
    return values;
  });

test.each(rows)("%s on wasm gives what cpu gives: $title", async (_, sample) => {
  await createEagerEngine("wasm");
  await createEagerEngine("cpu");
  const [wanted, got] = [valuesOn("cpu", sample), valuesOn("wasm", sample)];
  expect(got.length).toBe(wanted.length);
  // Sums of thousands of products are large, and so is what rounding does to them.
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  got.forEach((value, i) => expect(value / scale).toBeCloseTo(wanted[i]! / scale, 5));
});
