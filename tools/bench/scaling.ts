import { setTimeout as pause } from "node:timers/promises";
import { createEngine } from "@lejepa/engine";
import { threadCount } from "../../packages/engine/src/thread-count.js";
import { openReferenceStep, type OpenStep } from "./step.js";
import type { Model } from "./reference-steps.js";
import { round, timing } from "./timing.js";

/** Images of a step, all views counted. */
const batches = [64, 256, 1024, 4096] as const;
const views = 4;

/** What one number of threads gives. */
interface Scaling {
  threads: number;
  /** Milliseconds of a step over its images, in microseconds. */
  us_per_image: Record<number, { min: number; median: number }>;
  /** Greatest of the minima over the least, less 1, in per cent. */
  spread_percent: number;
}

/** Times a reference step at several batch sizes, in turns (64, 256, .., 64, 256, ..), so that all see the same noise. */
export async function measureScaling(
  model: Model,
  threadCounts: readonly number[],
  rounds: number,
): Promise<{ model: Model; rounds: number; threads: Scaling[] }> {
  const results: Scaling[] = [];
  for (const threads of threadCounts) {
    const engine = await createEngine("onnx", { threads });
    const steps: OpenStep[] = [];
    for (const images of batches)
      steps.push(await openReferenceStep(engine, model, { views, size: images / views }));
    for (const step of steps) await step.run();
    const times: number[][] = batches.map(() => []);
    for (let i = 0; i < rounds; i++)
      for (const [b, step] of steps.entries()) {
        // The threads of the session before spin for some 25 ms when their work is done: beside them the first five
        // steps of 64 images took 1.2 to 2 times as long as those behind.
        await pause(200);
        // As many steps of a small batch as take about as long as one of the greatest.
        for (let n = batches.at(-1)! / batches[b]!; n > 0; n--)
          times[b]!.push((1000 * (await step.run()).milliseconds) / batches[b]!);
      }
    await engine.dispose();
    const perImage = times.map((list) => {
      const { min_ms: min, median_ms: median } = timing(list);
      return { min, median };
    });
    const minima = perImage.map(({ min }) => min);
    const result: Scaling = {
      threads,
      us_per_image: Object.fromEntries(batches.map((images, b) => [images, perImage[b]!])),
      spread_percent: round(100 * (Math.max(...minima) / Math.min(...minima) - 1)),
    };
    results.push(result);
    console.log(`\n${model}, ${threadCount(threads)}, ${rounds} rounds, µs per image`);
    console.table(result.us_per_image);
    console.log(`spread of the minima: ${result.spread_percent} %`);
  }
  return { model, rounds, threads: results };
}
