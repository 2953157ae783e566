import { conv2d, convBlock, characteristicMeans, linear, type HostTensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { createEngine, type EngineOptions, type Step } from "@lejepa/engine";
import { needs } from "../../../tools/backends.js";

const spread = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + seed));

const state: HostTensors = {
  kernel: { shape: [3, 3, 4, 8], data: spread(288, 1) },
  scale: { shape: [8], data: new Float32Array(8).fill(1) },
  shift: { shape: [8], data: new Float32Array(8) },
  weight: { shape: [8, 6], data: spread(48, 2) },
};
const shapes = { images: { shape: [8, 6, 6, 4] }, directions: { shape: [6, 16] } };
const inputs = { images: spread(8 * 6 * 6 * 4, 3), directions: spread(96, 4) };

/** A convolution block, a linear layer and a statistic of random slices, with all gradients. */
const step: Step = (parameters, { images, directions }) => {
  const names = Object.keys(state);
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const [kernel, scale, shift, weight] = values as [tf.Tensor4D, ...tf.Tensor[]];
    const running = { mean: tf.zeros([8]), variance: tf.ones([8]) };
    const norm = { weight: scale!, bias: shift!, running };
    const { y } = convBlock(images as tf.Tensor4D, kernel, norm, {
      mode: "train",
      stride: 2,
      padding: 1,
    });
    const z = linear(tf.mean(y, [1, 2]), weight!);
    const slices = tf.transpose(tf.matMul(z as tf.Tensor2D, directions as tf.Tensor2D));
    return tf.sum(tf.square(characteristicMeans(slices, 0.5, [1, 2, 3])));
  };
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => parameters[name]!));
  return {
    state: parameters,
    outputs: { loss: value, ...Object.fromEntries(names.map((name, i) => [name, grads[i]!])) },
  };
};

async function outputs(options: EngineOptions): Promise<HostTensors> {
  const engine = await createEngine("tensorflow", options);
  const compiled = await engine.compile(step, { state, inputs: shapes });
  const result = await compiled.run(inputs);
  await engine.dispose();
  return result;
}

/** The greatest difference, relative to the greatest entry. */
function distance(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(got).toHaveLength(wanted.length);
  const greatest = Math.max(...Array.from(wanted, Math.abs));
  return Math.max(...Array.from(got, (value, i) => Math.abs(value - wanted[i]!))) / greatest;
}

/** Of the angle between two lists of numbers. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe("the options of the tensorflow engine", () => {
  test("bfloat16 rounds the products of layers and is near float32, value and gradient", async (context) => {
    needs("tensorflow", context);
    const [wide, narrow] = [await outputs({}), await outputs({ precision: "bfloat16" })];
    for (const [name, { data }] of Object.entries(wide)) {
      expect(distance(narrow[name]!.data, data), name).toBeGreaterThan(0);
      // A value next to 0 may pass a ReLU on one side and not on the other, so gradients agree as a whole.
      expect(cosine(narrow[name]!.data, data), name).toBeGreaterThan(0.95);
    }
  });

  test("bfloat16 leaves what is no layer's product as exact as it was", async (context) => {
    needs("tensorflow", context);
    const slicesOnly: Step = (none, { directions }) => {
      const slices = tf.transpose(
        tf.matMul(directions as tf.Tensor2D, directions as tf.Tensor2D, true),
      );
      return { state: none, outputs: { means: characteristicMeans(slices, 0.5, [1, 2, 3]) } };
    };
    const results = [];
    for (const precision of ["float32", "bfloat16"] as const) {
      const engine = await createEngine("tensorflow", { precision });
      const compiled = await engine.compile(slicesOnly, {
        state: {},
        inputs: { directions: shapes.directions },
      });
      results.push((await compiled.run({ directions: inputs.directions })).means!.data);
      await engine.dispose();
    }
    expect(results[1]).toEqual(results[0]);
  });

  test("bfloat16 rounds a convolution, unless one operand is a constant", async (context) => {
    needs("tensorflow", context);
    const convolution: Step = ({ kernel }, { images }) => {
      const [x, filter] = [images, kernel] as [tf.Tensor4D, tf.Tensor4D];
      const constant = tf.tensor4d(spread(288, 5), [3, 3, 4, 8]);
      return {
        state: { kernel: kernel! },
        outputs: {
          rounded: conv2d(x, filter, { padding: 1 }),
          exact: conv2d(x, constant, { padding: 1 }),
        },
      };
    };
    const results: HostTensors[] = [];
    for (const precision of ["float32", "bfloat16"] as const) {
      const engine = await createEngine("tensorflow", { precision });
      const compiled = await engine.compile(convolution, {
        state: { kernel: state.kernel! },
        inputs: { images: shapes.images },
      });
      results.push(await compiled.run({ images: inputs.images }));
      await engine.dispose();
    }
    const [wide, narrow] = results as [HostTensors, HostTensors];
    expect(distance(narrow.rounded!.data, wide.rounded!.data)).toBeGreaterThan(0);
    expect(distance(narrow.rounded!.data, wide.rounded!.data)).toBeLessThan(0.02);
    expect(narrow.exact!.data).toEqual(wide.exact!.data);
  });

  test("a step that XLA compiles gives what it gives without", async (context) => {
    needs("tensorflow", context);
    const [plain, compiled] = [await outputs({}), await outputs({ xla: true })];
    for (const [name, { data }] of Object.entries(plain))
      expect(distance(compiled[name]!.data, data), name).toBeLessThan(1e-4);
  });

  test.for(["onnx", "eager"] as const)("bfloat16 is refused by the %s engine", async (name) => {
    await expect(createEngine(name, { precision: "bfloat16" })).rejects.toMatchObject({
      code: "bad-option",
    });
  });

  test.for([
    [{ precision: "float16" }, /precision should be "float32" or "bfloat16"/],
    [{ xla: "yes" }, /xla should be true or false/],
    [{ thread: "other" }, /thread should be/],
    [{ threads: 0 }, /threads should be a whole number/],
    [{ engines: 1.5 }, /engines should be a whole number/],
  ] as const)("%o is refused", async ([options, message], context) => {
    needs("tensorflow", context);
    const refused = createEngine("tensorflow", options as unknown as EngineOptions);
    await expect(refused).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(message) as string,
    });
  });
});
