import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { patchEmbed } from "./patch-embed.js";

test.each([
  { images: [2, 4, 6, 3], patch: [2, 3] },
  { images: [1, 7, 8, 2], patch: [3, 3] }, // a row and two columns are left over
  { images: [2, 3, 3, 1], patch: [3, 3] },
])(
  "equals the strided convolution for $images and patches of $patch",
  async ({ images, patch }) => {
    const [kh, kw] = patch as [number, number];
    const channels = images[3] as number;
    await expectSameAs(
      (x, w, b) => patchEmbed(x as tf.Tensor4D, w, b),
      (x, w, b) => {
        const y = tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, [kh, kw], "valid");
        return tf.add(tf.reshape(y, [images[0] as number, -1, 4]), b);
      },
      () => [numbers(images, 1), numbers([kh, kw, channels, 4], 2), numbers([4], 3)],
    );
  },
);

test("shapes that do not fit are named", () => {
  expect(() => patchEmbed(tf.zeros([1, 4, 4, 3]), tf.zeros([2, 2, 1, 5]))).toThrow(
    "patchEmbed: weight should have shape [*, *, 3, *], got [2, 2, 1, 5].",
  );
  expect(() => patchEmbed(tf.zeros([1, 4, 4, 3]), tf.zeros([5, 2, 3, 5]))).toThrow(
    "patchEmbed: images should have shape [N, H >= 5, W >= 2, 3], got [1, 4, 4, 3].",
  );
});
