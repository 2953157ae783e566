import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { directions } from "@lejepa/sigreg";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { expectLearning, expectRowsInPlace } from "../shared/expect-learning.js";
import { recipe } from "../shared/mnist-run.js";
import { startEncoder } from "./encoder-process.js";
import { createModel } from "./model.js";

const { rows, pixels, dim, slices } = recipe;

test("losses are those of the same training in PyTorch alone", async (context) => {
  needs("python", context);
  const rate = 1e-3;
  const images = Float32Array.from({ length: rows * pixels }, (_, i) => Math.sin(i * i));
  const steps = [0, 1, 2, 3];
  const losses: number[] = [];
  const model = await createModel(0);
  for (const step of steps) losses.push((await model.step(images, step, rate)).loss);
  await model.dispose();

  const input = steps.flatMap((step) => [
    Float32Array.of(rate),
    images,
    directions(dim, slices, 0, step),
  ]);
  const output = execFileSync("python3", [`${import.meta.dirname}/all_in_pytorch.py`], {
    input: Buffer.concat(input.map(({ buffer }) => new Uint8Array(buffer as ArrayBuffer))),
    encoding: "utf8",
  });
  const expected = JSON.parse(output) as number[];
  expect(expected).toHaveLength(4);
  expected.forEach((loss, step) => expect(Math.abs(losses[step]! / loss - 1)).toBeLessThan(1e-4));
  // The steps have moved the weights.
  expect(expected[3]).toBeLessThan(0.95 * expected[0]!);
});

test("views of equal images have no prediction error, and an embedding is of its image alone", async (context) => {
  needs("python", context);
  await expectRowsInPlace(createModel);
});

test("a PyTorch model learns from views of MNIST", async (context) => {
  needs("python", context);
  await expectLearning(createModel);
});

test("a Python process that fails is an error for who waits for its answer", async (context) => {
  needs("python", context);
  const encoder = startEncoder(0, rows, -1);
  await expect(encoder.receive(1)).rejects.toThrow("encoder.py has ended");
  await encoder.end();
});

test("the guide quotes the Python side as it is", () => {
  const guide = readFileSync(`${import.meta.dirname}/../../guides/pytorch.md`, "utf8");
  const [, quoted] = /```python\n([^]*?)```/.exec(guide)!;
  const indented = quoted!.trimEnd().replaceAll(/^/gm, " ".repeat(8));
  const script = readFileSync(`${import.meta.dirname}/encoder.py`, "utf8");
  expect(script.replaceAll(/ {2}#.*$/gm, "")).toContain(indented);
});
