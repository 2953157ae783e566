/** Makes the ONNX file that the example stands on: two convolutions that were never trained. Put your own in its place. */
import { randomOf } from "@lejepa/data";
import { createEngine } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { heUniform } from "../plain-typescript/layers.js";

/** Numbers that the backbone gives for an image: 32 maps of 7 x 7. */
export const features = 7 * 7 * 32;

/** The backbone as an ONNX model: images [rows, 28, 28, 1] -> [rows, features]. */
export async function randomBackbone(rows: number): Promise<Uint8Array> {
  const random = randomOf("backbone");
  const first = heUniform(5 * 5, 16, random);
  const second = heUniform(3 * 3 * 16, 32, random);
  const engine = await createEngine("onnx", { convolution: "gathered" }); // standard operators only
  try {
    const backbone = await engine.compile(
      (state, { images }) => {
        const maps = tf.relu(
          tf.conv2d(images as tf.Tensor4D, tf.tensor4d(first, [5, 5, 1, 16]), 2, "same"),
        );
        const deeper = tf.relu(tf.conv2d(maps, tf.tensor4d(second, [3, 3, 16, 32]), 2, "same"));
        return { state, outputs: { features: tf.reshape(deeper, [rows, features]) } };
      },
      { state: {}, inputs: { images: { shape: [rows, 28, 28, 1] } } },
    );
    return (await backbone.explain({ runs: 1 })).onnx;
  } finally {
    await engine.dispose();
  }
}
