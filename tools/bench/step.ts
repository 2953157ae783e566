import { createEngine, type Engine, type EngineName } from "@lejepa/engine";
import type { StepMoment } from "@lejepa/trainer";
import { referenceStep, references, type Batch, type Model } from "./reference-steps.js";
import { round, timing } from "./timing.js";

/** Of the first state and of what the steps draw. */
export const seed = 0;

/** A compiled reference step that is fed new images, directions and another learning rate each time. */
export interface OpenStep {
  readonly compileMilliseconds: number;
  run(): Promise<{ loss: number; milliseconds: number }>;
}

/** What step number `step` is fed besides its images. A slow warm-up: at 2e-3 from the start, float32 rounding alone
 *  moves the loss of step 20 by 1e-3. */
export const momentOf = (step: number): StepMoment => ({
  step,
  learningRate: 2e-6 * (step + 1),
  seed,
});

/** Compiles a reference step on an engine. */
export async function openReferenceStep(
  engine: Engine,
  model: Model,
  batch?: Batch,
): Promise<OpenStep> {
  const definition = referenceStep(model, batch);
  const compiled = await engine.compile(definition.step, {
    state: definition.initialState(seed),
    inputs: definition.inputs,
  });
  const pool: ReturnType<typeof definition.batchAt>[] = [];
  let step = 0;
  return {
    compileMilliseconds: compiled.compileMilliseconds,
    async run() {
      const given = (pool[step % 4] ??= definition.batchAt(step % 4));
      const inputs = definition.inputsAt(momentOf(step), given);
      step++;
      const start = performance.now();
      const { loss } = await compiled.run(inputs);
      return { loss: loss!.data[0]!, milliseconds: performance.now() - start };
    },
  };
}

/** Times one reference step; `losses` are those of steps 1 and 20, to compare engines by. For `first_step_ms` this
 *  has to be the first thing that a process does: loading the engine, tracing, compiling and the first run. */
export async function measureStep(model: Model, engineName: EngineName, steps: number) {
  const start = performance.now();
  const engine = await createEngine(engineName);
  const step = await openReferenceStep(engine, model);
  const opened = performance.now() - start;
  const runs = [];
  for (let i = 0; i < steps; i++) runs.push(await step.run());
  await engine.dispose();
  // The first steps warm caches and allocators up.
  const timed = runs.slice(3).map(({ milliseconds }) => milliseconds);
  const { views, size } = references[model].batch;
  return {
    model,
    engine: engineName,
    batch: views * size,
    ...timing(timed),
    compile_ms: round(step.compileMilliseconds),
    first_step_ms: round(opened + runs[0]!.milliseconds),
    losses: [runs[0]!.loss, runs[19]!.loss],
  };
}
