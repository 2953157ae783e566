import "@tensorflow/tfjs-backend-cpu";
import { createEngine } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

test("sums of many rows into few places lose none, with several threads", async (context) => {
  needs("onnx", context);
  await tf.setBackend("cpu");
  const engine = await createEngine("onnx", { threads: 2 });
  const rows = 200_000;
  const step = await engine.compile(
    (state, { ids, x }) => {
      const places = tf.cast(ids!, "int32");
      const segments = tf.unsortedSegmentSum(x!, places as tf.Tensor1D, 8);
      const scattered = tf.scatterND(tf.expandDims(places, 1), x!, [8]);
      return { state, outputs: { segments, scattered } };
    },
    { state: {}, inputs: { ids: { shape: [rows] }, x: { shape: [rows] } } },
  );
  const data = {
    ids: Float32Array.from({ length: rows }, (_, i) => i % 8),
    x: new Float32Array(rows).fill(1),
  };
  const sums = new Float32Array(8).fill(rows / 8);
  for (let i = 0; i < 20; i++) {
    const { segments, scattered } = await step.run(data);
    expect(segments!.data).toEqual(sums);
    expect(scattered!.data).toEqual(sums);
  }
  await engine.dispose();
});
