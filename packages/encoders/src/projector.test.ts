import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSlopeAlongGradient, gradientsOf, numbers, toTensors } from "../test/trainable.js";
import { projector } from "./projector.js";

test("parameters are numbered as in a torch.nn.Sequential", () => {
  const { parameters } = projector({ inputDim: 128 });
  expect(
    parameters.map(({ name, shape, layout, decay, buffer }) => [
      name,
      shape,
      layout,
      decay ? "decay" : buffer ? "buffer" : "no decay",
    ]),
  ).toEqual([
    ["projector.0.weight", [128, 256], "linear", "decay"],
    ["projector.1.weight", [256], "as-is", "no decay"],
    ["projector.1.bias", [256], "as-is", "no decay"],
    ["projector.1.running_mean", [256], "as-is", "buffer"],
    ["projector.1.running_var", [256], "as-is", "buffer"],
    ["projector.3.weight", [256, 16], "linear", "decay"],
  ]);
});

test.each([{ hidden: [] }, { hidden: [6] }, { hidden: [6, 5] }])(
  "with hidden widths $hidden every parameter receives its gradient",
  async ({ hidden }) => {
    await tf.setBackend("cpu");
    const model = projector({ inputDim: 4, hidden, outputDim: 3 });
    const tensors = toTensors(model.init(2));
    const embeddings = numbers([8, 4]) as tf.Tensor2D;
    const project = (p: Record<string, tf.Tensor>) =>
      model.apply(p, embeddings, { mode: "train" }).projection;
    expect(project(tensors).shape).toEqual([8, 3]);
    const { gradients } = gradientsOf(model, tensors, project);
    expect(Object.values(gradients).filter((g) => g.every((v) => v === 0))).toEqual([]);
    const loss = (p: Record<string, tf.Tensor>) =>
      tf.sum(tf.mul(project(p), numbers([8, 3], 7))).dataSync()[0] as number;
    expectSlopeAlongGradient(tensors, gradients, loss, 1e-2);
  },
);

test("a small projector worked by hand", async () => {
  await tf.setBackend("cpu");
  const model = projector({ inputDim: 1, hidden: [2], outputDim: 1 });
  const tensors = {
    ...toTensors(model.init(1)),
    "projector.0.weight": tf.tensor([[1, -1]]),
    "projector.3.weight": tf.tensor([[10], [1]]),
  };
  // Evaluation: mean 0 and variance 1 pass x through; ReLU keeps one sign in each column.
  const { projection, updates } = model.apply(tensors, tf.tensor2d([[2], [-3]]), { mode: "eval" });
  const [first, second] = projection.dataSync() as unknown as [number, number];
  expect(first).toBeCloseTo(20, 3);
  expect(second).toBeCloseTo(3, 3);
  expect(updates).toEqual({});
});

test("widths and inputs that do not fit are refused", () => {
  expect(() => projector({ inputDim: 0 })).toThrow(
    expect.objectContaining({ code: "bad-encoder-option" }),
  );
  expect(() => projector({ inputDim: 4, hidden: [2.5] })).toThrow("hidden[0]");
  const model = projector({ inputDim: 4 });
  expect(() => model.apply({}, tf.zeros([2, 5]), { mode: "eval" })).toThrow(
    "projector: embeddings should have shape [*, 4], got [2, 5].",
  );
});
