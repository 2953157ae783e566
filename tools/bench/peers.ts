import { availableParallelism } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { startAll } from "./peer-process.js";
import { references, type Model } from "./reference-steps.js";
import { round, timing } from "./timing.js";

const here = import.meta.dirname;

/** What one process took, over all its turns. */
interface Timing {
  min_ms: number;
  median_ms: number;
}

/** One training step on our engine and as PyTorch twins, measured in turns. */
interface Comparison {
  steps_per_turn: number;
  onnx: Timing;
  torch_eager: Timing;
  torch_compile: Timing;
  /** Our least time over that of torch.compile: of all turns, and for each round its least, middle and greatest. */
  ratio: { of_minima: number; rounds: { min: number; median: number; max: number } };
  /** The greatest ratio that passes. */
  bar: number;
}

/** Runs our step and its PyTorch twins in turns (A B C A B C ...), so that all see the same noise. */
export async function comparePeers(
  models: readonly Model[],
  rounds: number,
): Promise<{ rounds: number; models: Record<string, Comparison> }> {
  const results: Record<string, Comparison> = {};
  for (const model of models) {
    const { stepsPerTurn, bar } = references[model];
    const threads = String(availableParallelism());
    const twin = [`${here}/peers/reference_steps.py`, "--model", model, "--threads", threads];
    const peers = await startAll({
      onnx: [process.execPath, [...process.execArgv, `${here}/peers/engine-step.ts`, model]],
      torch_eager: ["python3", [...twin, "--mode", "eager"]],
      torch_compile: ["python3", [...twin, "--mode", "compile"]],
    });
    const turns: Record<keyof typeof peers, number[][]> = {
      onnx: [],
      torch_eager: [],
      torch_compile: [],
    };
    try {
      for (let i = 0; i < rounds; i++)
        for (const name of Object.keys(peers) as (keyof typeof peers)[]) {
          // The threads of the peer before spin for a while when their work is done.
          await pause(500);
          turns[name].push(await peers[name].steps(stepsPerTurn));
        }
    } finally {
      for (const peer of Object.values(peers)) peer.stop();
    }
    const ratios = turns.onnx
      .map((turn, i) => Math.min(...turn) / Math.min(...turns.torch_compile[i]!))
      .sort((a, b) => a - b);
    const timings = {
      onnx: timing(turns.onnx.flat()),
      torch_eager: timing(turns.torch_eager.flat()),
      torch_compile: timing(turns.torch_compile.flat()),
    };
    results[model] = {
      steps_per_turn: stepsPerTurn,
      ...timings,
      ratio: {
        of_minima: round(timings.onnx.min_ms / timings.torch_compile.min_ms),
        rounds: {
          min: round(ratios[0]!),
          median: round(ratios[ratios.length >> 1]!),
          max: round(ratios.at(-1)!),
        },
      },
      bar,
    };
    // Four models take a while: each is told when it is done.
    console.log(
      `${model}: onnx ${timings.onnx.min_ms} ms, ratio ${results[model].ratio.of_minima}`,
    );
  }
  console.log(`\n${rounds} rounds, least ms of a step; ratio is onnx / torch.compile`);
  console.table(mapValues(results, asRow));
  return { rounds, models: results };
}

const asRow = ({ onnx, torch_eager, torch_compile, ratio, bar }: Comparison) => ({
  onnx: onnx.min_ms,
  "torch eager": torch_eager.min_ms,
  "torch.compile": torch_compile.min_ms,
  ratio: ratio.of_minima,
  "by round": `${ratio.rounds.median} (${ratio.rounds.min} to ${ratio.rounds.max})`,
  bar,
});

const mapValues = <A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
