import { convNet, createEncoder, type Encoder, resnet, vit } from "@lejepa/encoders";
import { createEngine, type EngineName, type Step } from "@lejepa/engine";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { numbers } from "./trainable.js";

/** Images are of the encoder's own size where none is given. */
interface Member {
  readonly title: string;
  readonly make: () => Encoder;
  readonly size?: readonly [height: number, width: number];
}

const members: Member[] = [
  { title: "conv_mnist", make: () => createEncoder("conv_mnist") },
  {
    title: "a conv net with mean pooling",
    make: () => convNet({ imageSize: 12, channels: 1, widths: [4, 8, 8], head: "mean" }),
  },
  {
    title: "a transformer with a class token",
    make: () => vit({ imageSize: 8, channels: 3, patch: 4, dim: 12, depth: 2, heads: 3 }),
  },
  {
    title: "a transformer on images of another size",
    make: () => vit({ imageSize: 8, channels: 3, patch: 4, dim: 12, depth: 1, heads: 3 }),
    size: [12, 4],
  },
  {
    title: "a transformer with mean pooling and quick GELU",
    make: () =>
      vit({
        imageSize: 9,
        channels: 1,
        patch: 4,
        dim: 12,
        depth: 1,
        heads: 2,
        classToken: false,
        activation: "quick_gelu",
      }),
  },
  {
    title: "a residual network of basic blocks",
    make: () => resnet({ imageSize: 11, channels: 1, block: "basic", depths: [1, 1] }),
  },
  {
    title: "a transformer whose blocks are dropped at random",
    make: () =>
      vit({ imageSize: 8, channels: 1, patch: 4, dim: 12, depth: 2, heads: 3, dropPath: 0.5 }),
  },
  {
    title: "a residual network whose blocks are dropped at random",
    make: () =>
      resnet({ imageSize: 11, channels: 1, block: "basic", depths: [1, 1], dropPath: 0.5 }),
  },
  {
    title: "a residual network of bottlenecks",
    make: () => resnet({ imageSize: 10, channels: 3, block: "bottleneck", depths: [1] }),
  },
];

/** One step of gradient descent on a fixed target, in both modes of batch norm. */
function descent(encoder: Encoder): Step {
  return (state, inputs) =>
    tf.tidy(() => {
      const names = encoder.parameters.filter(({ buffer }) => !buffer).map(({ name }) => name);
      const images = inputs["images"] as tf.Tensor4D;
      const training = { mode: "train", draws: inputs } as const;
      const { value, grads } = tf.valueAndGrads((...args: tf.Tensor[]) => {
        const trained = Object.fromEntries(names.map((name, i) => [name, args[i] as tf.Tensor]));
        const { embedding } = encoder.apply({ ...state, ...trained }, images, training);
        return tf.mean<tf.Scalar>(tf.squaredDifference(embedding, inputs["target"] as tf.Tensor));
      })(names.map((name) => state[name] as tf.Tensor));
      const { updates } = encoder.apply(state, images, training);
      const moved = Object.fromEntries(
        names.map((name, i) => [
          name,
          tf.sub(state[name] as tf.Tensor, tf.mul(grads[i] as tf.Tensor, 0.05)),
        ]),
      );
      const next = { ...state, ...updates, ...moved };
      const { embedding } = encoder.apply(next, images, { mode: "eval" });
      return { state: next, outputs: { loss: value, embedding } };
    });
}

const engines = ["onnx", "tensorflow"] as const;
const cases = members.flatMap((member) => engines.map((name) => ({ ...member, name })));

test.for(cases)(
  "$title takes the same steps on $name and eager",
  async ({ make, size, name }, context) => {
    needs(name, context);
    const encoder = make();
    const [height, width] = size ?? [encoder.imageSize, encoder.imageSize];
    const shape = [4, height, width, encoder.channels];
    const run = async (name: EngineName) => {
      const engine = await createEngine(name);
      const compiled = await engine.compile(descent(encoder), {
        state: encoder.init(1),
        inputs: { images: { shape }, target: { shape: [4, encoder.dim] }, ...encoder.draws(4) },
      });
      const outputs = [];
      for (let step = 0; step < 3; step++) {
        outputs.push(
          await compiled.run({
            images: numbers(shape, step + 1).dataSync() as Float32Array,
            target: numbers([4, encoder.dim], 9).dataSync() as Float32Array,
            ...Object.fromEntries(
              Object.keys(encoder.draws(4)).map((name, i) => [
                name,
                Float32Array.of(0.1, 0.9, 0.4, 0.6).map((v) => (v + 0.37 * (step + i)) % 1),
              ]),
            ),
          }),
        );
      }
      await compiled.dispose();
      await engine.dispose();
      return outputs;
    };
    await tf.setBackend("cpu");
    const [eager, compiled] = [await run("eager"), await run(name)];
    const losses = (steps: typeof eager) => steps.map((s) => s["loss"]?.data[0] as number);
    expect(losses(eager)[2]).not.toBe(losses(eager)[0]);
    losses(compiled).forEach((loss, i) => {
      expect(Math.abs(loss / (losses(eager)[i] as number) - 1)).toBeLessThan(1e-4);
    });
    const last = (steps: typeof eager) => steps[2]?.["embedding"]?.data as Float32Array;
    const largest = Math.max(...last(eager).map(Math.abs));
    expect(largest).toBeGreaterThan(0.01);
    last(compiled).forEach((value, i) => {
      expect(Math.abs(value - (last(eager)[i] as number)) / largest).toBeLessThan(1e-3);
    });
  },
);
