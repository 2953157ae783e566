import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { backends } from "../test/differentiation.js";
import { lockstep } from "../test/lockstep.js";
import { allReduceMean, exchangingBy } from "./all-reduce-mean.js";

describe.each(backends)("on the %s backend", (backend) => {
  beforeEach(async () => void (await tf.setBackend(backend)));

  test("every process has the mean, in the shape that it gave", () => {
    const own = [
      [1, 2, 3],
      [3, 6, -3],
    ];
    const means = lockstep(2, (rank) => allReduceMean(tf.tensor(own[rank]!, [3, 1])));
    for (const mean of means) {
      expect(mean.shape).toEqual([3, 1]);
      expect([...mean.dataSync()]).toEqual([2, 4, 0]);
    }
  });

  test("the gradient is the mean of what each process makes of the mean", () => {
    // L_r = (r + 1) m^2 with m = (x_0 + x_1) / 2: of L_0 + L_1 = 3 m^2 each x has the gradient 3 m.
    const gradients = lockstep(2, (rank) =>
      tf.grad((x: tf.Tensor) => tf.mul(tf.square(allReduceMean(x)), rank + 1))(
        tf.scalar([5, 3][rank]!),
      ),
    );
    expect(gradients.map((g) => g.dataSync()[0])).toEqual([12, 12]);
  });

  test("what is given is not changed, and nothing is left behind", () => {
    const x = tf.tensor1d([1, 2]);
    const before = tf.memory().numTensors;
    const mean = exchangingBy(
      (values) => void values.fill(7),
      () => allReduceMean(x),
    );
    expect([...mean.dataSync()]).toEqual([7, 7]);
    expect([...x.dataSync()]).toEqual([1, 2]);
    mean.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  test("without anyone to average with it is refused, also after an exchange that failed", () => {
    const code = (): unknown => {
      try {
        allReduceMean(tf.scalar(1));
      } catch (error) {
        return (error as { code: unknown }).code;
      }
      return "returned";
    };
    expect(code()).toBe("no-processes");
    const failing = () => {
      throw new Error("lost");
    };
    expect(() => exchangingBy(failing, () => allReduceMean(tf.scalar(1)))).toThrow("lost");
    expect(code()).toBe("no-processes");
  });
});

test("whole numbers are refused", () => {
  expect(() => allReduceMean(tf.scalar(1, "int32"))).toThrow(
    expect.objectContaining({ code: "bad-dtype" }),
  );
});
