import { setTimeout as pause } from "node:timers/promises";
import { startAll } from "./peer-process.js";
import { references, type Model } from "./reference-steps.js";
import { round, timing } from "./timing.js";

/** Engines that several processes are measured on. */
export const sharedEngines = ["onnx", "tensorflow"] as const;
export type SharedEngine = (typeof sharedEngines)[number];

/** How the two threads of the comparison are used, and one of them alone. */
const sides = {
  "1 process, 2 threads": { processes: 1, threads: 2 },
  "1 process, 1 thread": { processes: 1, threads: 1 },
  "2 processes, 1 thread each": { processes: 2, threads: 1 },
} as const;
type Side = keyof typeof sides;

/** Times of one model on one engine. */
interface Sharing {
  model: Model;
  engine: SharedEngine;
  times: Record<Side, { min_ms: number; median_ms: number }>;
  /** Two processes over one of two threads: of the least times of all rounds, and the middle one of the ratios of each
   *  round's least times. */
  ratio: { of_minima: number; median: number };
}

/** Times reference steps whose images one process has, and two share, in turns (A B C A B C ...), so that all see the
 *  same noise. */
export async function measureProcesses(
  models: readonly Model[],
  engines: readonly SharedEngine[],
  rounds: number,
): Promise<{ rounds: number; results: Sharing[] }> {
  const results: Sharing[] = [];
  for (const model of models)
    for (const engine of engines) {
      const result = await measure(model, engine, rounds);
      results.push(result);
      console.log(`\n${model} on ${engine}, ${rounds} rounds, ms of a step`);
      console.table(result.times);
      console.log(
        `2 processes over 1 of 2 threads: ${result.ratio.of_minima} of the minima, ${result.ratio.median} median by round`,
      );
    }
  return { rounds, results };
}

async function measure(model: Model, engine: SharedEngine, rounds: number): Promise<Sharing> {
  const names = Object.keys(sides) as Side[];
  const script = `${import.meta.dirname}/peers/processes-step.ts`;
  const commandOf = ({ processes, threads }: (typeof sides)[Side]): [string, string[]] => [
    process.execPath,
    [...process.execArgv, script, model, engine, String(processes), String(threads)],
  ];
  const peers = await startAll(
    Object.fromEntries(names.map((name) => [name, commandOf(sides[name])])) as Record<
      Side,
      [string, string[]]
    >,
  );
  const turns = new Map<Side, number[][]>(names.map((name) => [name, []]));
  try {
    for (let i = 0; i < rounds; i++)
      for (const name of names) {
        // The threads of the one before spin for a while when their work is done.
        await pause(200);
        turns.get(name)!.push(await peers[name].steps(references[model].stepsPerTurn));
      }
  } finally {
    for (const peer of Object.values(peers)) peer.stop();
  }
  const leastOf = (name: Side): number[] => turns.get(name)!.map((turn) => Math.min(...turn));
  const [whole, shared] = [leastOf("1 process, 2 threads"), leastOf("2 processes, 1 thread each")];
  const ratios = shared.map((ms, i) => ms / whole[i]!).sort((a, b) => a - b);
  return {
    model,
    engine,
    times: Object.fromEntries(
      names.map((name) => [name, timing(turns.get(name)!.flat())]),
    ) as Sharing["times"],
    ratio: {
      of_minima: round(Math.min(...shared) / Math.min(...whole)),
      median: round(ratios[ratios.length >> 1]!),
    },
  };
}
