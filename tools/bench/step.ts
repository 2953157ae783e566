import { convNet, projector, vit } from "@lejepa/encoders";
import { createEngine } from "@lejepa/engine";
import { lejepaStep } from "@lejepa/trainer";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { timing } from "./timing.js";

/** The two reference steps: 4 views x 128 images of 28x28, projector to 16 dimensions, 256 slices, lambda 0.05. */
export const models = ["vit", "conv"] as const;
export type Model = (typeof models)[number];

const batch = { views: 4, size: 128 };
const rows = batch.views * batch.size;
const seed = 0;

/** The step of one reference model, from the definition that its PyTorch twin shares. */
export function referenceStep(model: Model) {
  const encoder =
    model === "vit"
      ? vit({
          imageSize: 28,
          channels: 1,
          patch: 7,
          dim: 64,
          depth: 3,
          heads: 4,
          mlpRatio: 4,
          classToken: false,
          activation: "quick_gelu",
          pool: "mean",
        })
      : convNet({ imageSize: 28, channels: 1, widths: [32, 64, 128], head: "mean" });
  const head = projector({ inputDim: encoder.dim, hidden: [256], outputDim: 16 });
  return {
    encoder,
    head,
    ...lejepaStep({ encoder, projector: head, batch, slices: 256, loss: { lambda: 0.05 } }),
  };
}

/** A compiled reference step that is fed new images, directions and another learning rate each time. */
export async function openReferenceStep(
  model: Model,
  engineName: "onnx" | "eager",
): Promise<{ run(): Promise<{ loss: number; milliseconds: number }>; dispose(): Promise<void> }> {
  const definition = referenceStep(model);
  const engine = await createEngine(engineName);
  const compiled = await engine.compile(definition.step, {
    state: definition.initialState(seed),
    inputs: definition.inputs,
  });
  const pool = [0, 1, 2, 3].map(normalImages);
  let step = 0;
  return {
    async run() {
      // A slow warm-up: at 2e-3 from the start, float32 rounding alone moves the loss of step 20 by 1e-3.
      const moment = { step, learningRate: 2e-6 * (step + 1), seed };
      const inputs = definition.inputsAt(moment, pool[step % pool.length]!);
      step++;
      const start = performance.now();
      const { loss } = await compiled.run(inputs);
      return { loss: loss!.data[0]!, milliseconds: performance.now() - start };
    },
    dispose: () => engine.dispose(),
  };
}

/** Times one reference step; `losses` are those of steps 1 and 20, to compare engines by. */
export async function measureStep(model: Model, engine: "onnx" | "eager", steps: number) {
  const step = await openReferenceStep(model, engine);
  const runs = [];
  for (let i = 0; i < steps; i++) runs.push(await step.run());
  await step.dispose();
  // The first steps warm caches and allocators up.
  const timed = runs.slice(3).map(({ milliseconds }) => milliseconds);
  return {
    model,
    engine,
    batch: rows,
    ...timing(timed),
    losses: [runs[0]!.loss, runs[19]!.loss],
  };
}

/** Seeded images of independent normal pixels, one batch [V N, 28, 28, 1]. */
export function normalImages(index: number): Float32Array {
  const normal = randomNormal.source(seedrandom.alea(`bench/${index}`))();
  return Float32Array.from({ length: rows * 28 * 28 }, () => normal());
}
