import { createEncoder, fromTorch, toTorch } from "@lejepa/encoders";
import type { HostTensor, HostTensors } from "@lejepa/ops";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import {
  fnv1a32,
  mulberry32,
  readGolden,
  synthetic,
  syntheticStateDict,
  type TimmGolden,
} from "./timm-golden.js";

const files = [
  "resnet18",
  "resnet34",
  "resnet50",
  "vit_tiny_patch16_224",
  "vit_small_patch16_224",
  "vit_small_patch8_224",
  "vit_base_patch16_224",
];

beforeAll(async () => {
  await tf.setBackend("wasm");
  await tf.ready();
});

test("the generator of synthetic weights gives its published numbers", () => {
  expect(fnv1a32("p1:conv1.weight")).toBe(0xcbde8bc5);
  const next = mulberry32(fnv1a32("input"));
  expect([next(), next(), next()]).toEqual([
    0.9803601200692356, 0.7923696131911129, 0.6291701074223965,
  ]);
  const { data } = synthetic("p1:conv1.weight", [64, 3, 7, 7], "w");
  expect([...data.subarray(0, 3)]).toEqual([
    0.10591381788253784, -0.08287657052278519, -0.10732373595237732,
  ]);
});

function encoderOf(golden: TimmGolden) {
  return createEncoder(golden.name, {
    imageSize: golden.img_size[0],
    channels: golden.in_chans,
  });
}

function toTensors(parameters: HostTensors): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data, [...shape]),
    ]),
  );
}

/** Torch's [N, C, H, W] as [N, H, W, C]. */
function images({ shape, data }: HostTensor): tf.Tensor4D {
  return tf.transpose<tf.Tensor4D>(
    tf.tensor(data, shape as [number, number, number, number]),
    [0, 2, 3, 1],
  );
}

/** Largest difference over the largest expected magnitude; NaN is a difference. */
function deviation(got: ArrayLike<number>, expected: readonly number[]): number {
  let worst = got.length === expected.length ? 0 : Infinity;
  let largest = 0;
  expected.forEach((value, i) => {
    const difference = Math.abs((got[i] as number) - value);
    worst = difference <= worst ? worst : difference;
    largest = Math.max(largest, Math.abs(value));
  });
  return worst / largest;
}

describe.each(files)("%s", (file) => {
  const golden = readGolden(file);
  const encoder = encoderOf(golden);

  test("parameters have timm's names, shapes and order", () => {
    const zeros = Object.fromEntries(
      encoder.parameters.map(({ name, shape }): [string, HostTensor] => [
        name,
        { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) },
      ]),
    );
    const ours = Object.entries(toTorch(encoder, zeros)).map(([name, { shape }]) => [name, shape]);
    expect(ours).toEqual(golden.parameters.map(([name, shape]) => [name, shape]));
    const trained = encoder.parameters.filter(({ buffer }) => !buffer);
    const count = trained.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count).toBe(golden.parameter_count);
    expect(encoder.dim).toBe(golden.expected.pooled[0]?.length);
  });

  test("features equal timm's to float32 rounding", () => {
    const parameters = fromTorch(encoder, syntheticStateDict(golden));
    const features = tf.tidy(
      () =>
        encoder.apply(
          toTensors(parameters),
          images(synthetic(golden.input.key, golden.input.shape, "unit")),
          { mode: "eval" },
        ).embedding,
    );
    const expected = golden.expected.pooled.flat();
    const rel = deviation(features.dataSync(), expected);
    // The spread that torch's own float32 shows, times 20 as the files suggest; zeros would be off by 1.
    expect(rel).toBeLessThan(20 * golden.expected.float32_rel_dev);
    expect(deviation(new Float32Array(expected.length), expected)).toBe(1);
    features.dispose();
  });
});

test.each(["resnet18", "vit_tiny_patch16_224"])(
  "gradients of %s equal timm's to float32 rounding",
  (file) => {
    const golden = readGolden(file);
    const { gradient } = golden;
    if (gradient === undefined) {
      throw new Error(`${file}.json holds no gradient`);
    }
    const encoder = encoderOf(golden);
    const parameters = fromTorch(encoder, syntheticStateDict(golden));
    const names = encoder.parameters.filter(({ buffer }) => !buffer).map(({ name }) => name);
    const tensors = toTensors(parameters);
    const x = images(synthetic(golden.input.key, golden.input.shape, "unit"));
    const weights = synthetic(gradient.weights_key, gradient.weights_shape, "unit");
    const { value, grads } = tf.valueAndGrads((...args: tf.Tensor[]) => {
      const trained = Object.fromEntries(names.map((name, i) => [name, args[i] as tf.Tensor]));
      const { embedding } = encoder.apply({ ...tensors, ...trained }, x, { mode: "eval" });
      return tf.sum<tf.Scalar>(tf.mul(embedding, tf.tensor(weights.data, [...weights.shape])));
    })(names.map((name) => tensors[name] as tf.Tensor));
    expect(Math.abs((value.dataSync()[0] as number) / gradient.loss - 1)).toBeLessThan(1e-4);
    const host: HostTensors = {
      ...parameters,
      ...Object.fromEntries(
        names.map((name, i): [string, HostTensor] => {
          const grad = grads[i] as tf.Tensor;
          return [name, { shape: grad.shape, data: grad.dataSync() as Float32Array }];
        }),
      ),
    };
    // Every parameter receives a gradient.
    expect(names.filter((name) => host[name]?.data.every((g) => g === 0))).toEqual([]);
    const inTorch = toTorch(encoder, host);
    for (const [name, expected] of Object.entries(gradient.grads)) {
      const { shape, data } = inTorch[name] as HostTensor;
      expect(shape, name).toEqual(expected.shape);
      expect(Math.abs(Math.hypot(...chunkedNorms(data)) / expected.norm - 1), name).toBeLessThan(
        1e-4,
      );
      expect(deviation(data.subarray(0, 8), expected.first8), name).toBeLessThan(1e-3);
    }
    expect(Object.keys(gradient.grads).length).toBeGreaterThan(3);
  },
);

/** Norms of pieces, so that no call has a million arguments. */
function chunkedNorms(data: Float32Array): number[] {
  const norms: number[] = [];
  for (let i = 0; i < data.length; i += 1000) {
    norms.push(Math.hypot(...data.subarray(i, i + 1000)));
  }
  return norms.length > 1000 ? chunkedNorms(Float32Array.from(norms)) : norms;
}
