import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { vit } from "./vit.js";

/** One token and a hidden layer of 2^17 numbers: a part holds 16 images. */
const wide = vit({
  imageSize: 4,
  channels: 1,
  patch: 4,
  dim: 4,
  depth: 1,
  heads: 2,
  mlpRatio: 2 ** 15,
  classToken: false,
});

// 18 images go through in two parts, 17 cannot be parted equally.
test.each([
  [18, [6, 12]],
  [17, [8, 9]],
])("%i images embed as in batches of %j", async (count, sizes) => {
  await tf.setBackend("cpu");
  const parameters = Object.fromEntries(
    Object.entries(wide.init(1)).map(([name, { data, shape }]) => [
      name,
      tf.tensor(data, [...shape]),
    ]),
  );
  const images = tf.tensor4d(
    Float32Array.from({ length: count * 16 }, (_, i) => Math.sin(12.9898 * i)),
    [count, 4, 4, 1],
  );
  const together = wide.apply(parameters, images, { mode: "eval" });
  expect(together.embedding.shape).toEqual([count, 4]);
  expect(together.tokens?.shape).toEqual([count, 1, 4]);
  const batches = tf.split<tf.Tensor4D>(images, sizes);
  const apart = tf.concat(
    batches.map((image) => wide.apply(parameters, image, { mode: "eval" }).embedding),
  );
  const difference = tf.max(tf.abs(tf.sub(together.embedding, apart))).dataSync()[0]!;
  expect(difference).toBeLessThan(1e-5);
});
