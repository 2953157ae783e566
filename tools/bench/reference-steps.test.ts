import { createEngine, type EngineName } from "@lejepa/engine";
import { expect, test } from "vitest";
import { needs } from "../backends.js";
import { openSharedStep } from "./ranks/open-shared-step.js";
import { openReferenceStep } from "./step.js";

const batch = { views: 2, size: 16 };
const compiled = ["onnx", "tensorflow"] as const;

async function losses(name: EngineName, model: "vit" | "conv"): Promise<number[]> {
  const engine = await createEngine(name);
  const step = await openReferenceStep(engine, model, batch);
  const all = [];
  for (let i = 0; i < 20; i++) all.push((await step.run()).loss);
  await engine.dispose();
  return all;
}

test.for((["vit", "conv"] as const).flatMap((model) => compiled.map((name) => ({ model, name }))))(
  "twenty reference steps of $model on $name have the losses of the eager engine",
  async ({ model, name }, context) => {
    needs(name, context);
    const [wanted, got] = [await losses("eager", model), await losses(name, model)];
    expect(new Set(wanted).size).toBe(20);
    got.forEach((loss, i) => expect(Math.abs(loss / wanted[i]! - 1)).toBeLessThan(1e-4));
  },
);

test.for((["vit", "conv"] as const).flatMap((model) => compiled.map((name) => ({ model, name }))))(
  "five reference steps of $model on $name have the same losses shared out among two processes",
  async ({ model, name }, context) => {
    needs(name, context);
    const engine = await createEngine(name);
    const alone = await openReferenceStep(engine, model, batch);
    const shared = await openSharedStep(name, model, batch, { processes: 2, threads: 1 });
    for (let i = 0; i < 5; i++) {
      const [wanted, got] = [(await alone.run()).loss, (await shared.run()).loss];
      expect(Math.abs(got / wanted - 1)).toBeLessThan(1e-5);
    }
    await shared.close();
    await engine.dispose();
  },
);

test("images that have no equal parts are not shared out", async () => {
  const odd = openSharedStep("onnx", "vit", { views: 2, size: 5 }, { processes: 2, threads: 1 });
  await expect(odd).rejects.toThrow("5 images have no 2 equal parts");
});
