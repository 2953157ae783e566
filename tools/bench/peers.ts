import { availableParallelism } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { startAll } from "./peer-process.js";
import { references, type Model } from "./reference-steps.js";
import { round, timing } from "./timing.js";

const here = import.meta.dirname;

/** Our side: the compiled engines, and tfjs-node as it comes, operation by operation. */
export const ourPeers = ["onnx", "tensorflow", "tfjs-node"] as const;
export type OurPeer = (typeof ourPeers)[number];

type Peer = OurPeer | "torch eager" | "torch.compile";

/** What one process took, over all its turns. */
interface Timing {
  min_ms: number;
  median_ms: number;
}

/** Our time over that of torch.compile. */
interface Ratio {
  /** Of the least times of all turns. */
  of_minima: number;
  /** Of the least times of each round: the least, middle and greatest. */
  rounds: { min: number; median: number; max: number };
  /** The greatest that passes; null where none is asked for. */
  bar: number | null;
}

/** One training step on our engines and as PyTorch twins, measured in turns. */
interface Comparison {
  images: number;
  steps_per_turn: number;
  times: Partial<Record<Peer, Timing>>;
  ratios: Partial<Record<OurPeer, Ratio>>;
}

/** Runs our step and its PyTorch twins in turns (A B C A B C ...), so that all see the same noise. `size` is the number
 *  of images of each view, left out the one that the bars are for. */
export async function comparePeers(
  models: readonly Model[],
  ours: readonly OurPeer[],
  rounds: number,
  size?: number,
): Promise<{ rounds: number; models: Record<string, Comparison> }> {
  const results: Record<string, Comparison> = {};
  for (const model of models) {
    results[model] = await compareModel(model, ours, rounds, size);
    // Four models take a while: each is told when it is done.
    const said = Object.entries(results[model].ratios).map(
      ([name, { of_minima }]) => `${name} ${of_minima} of torch.compile`,
    );
    console.log(`${model}: ${said.join(", ")}`);
  }
  console.log(`\n${rounds} rounds, least ms of a step`);
  console.table(mapValues(results, ({ times }) => mapValues(times, ({ min_ms }) => min_ms)));
  console.log("over torch.compile: of all, and by round the middle one (least to greatest)");
  console.table(mapValues(results, ({ ratios }) => mapValues(ratios, verdict)));
  return { rounds, models: results };
}

async function compareModel(
  model: Model,
  ours: readonly OurPeer[],
  rounds: number,
  size: number | undefined,
): Promise<Comparison> {
  const { stepsPerTurn, bars, batch } = references[model];
  const images = batch.views * (size ?? batch.size);
  const threads = String(availableParallelism());
  const twin = (mode: string): [string, string[]] => [
    "python3",
    [
      ...[`${here}/peers/reference_steps.py`, "--model", model, "--threads", threads],
      ...["--mode", mode, "--images", String(images)],
    ],
  ];
  const step = `${here}/peers/engine-step.ts`;
  const commands = Object.fromEntries([
    ...ours.map((name) => [
      name,
      [process.execPath, [...process.execArgv, step, model, name, String(images / batch.views)]],
    ]),
    ["torch eager", twin("eager")],
    ["torch.compile", twin("compile")],
  ]) as Record<Peer, [string, string[]]>;
  const peers = await startAll(commands);
  const names = Object.keys(peers) as Peer[];
  const turns = new Map<Peer, number[][]>(names.map((name) => [name, []]));
  try {
    for (let i = 0; i < rounds; i++)
      for (const name of names) {
        // The threads of the peer before spin for a while when their work is done.
        await pause(500);
        // The slow one has no bar to meet.
        turns.get(name)!.push(await peers[name].steps(name === "tfjs-node" ? 2 : stepsPerTurn));
      }
  } finally {
    for (const peer of Object.values(peers)) peer.stop();
  }
  const least = (turn: readonly number[]): number => Math.min(...turn);
  const compiled = turns.get("torch.compile")!;
  const ratioOf = (name: OurPeer): Ratio => {
    const each = turns
      .get(name)!
      .map((turn, i) => least(turn) / least(compiled[i]!))
      .sort((a, b) => a - b);
    return {
      of_minima: round(least(turns.get(name)!.flat()) / least(compiled.flat())),
      rounds: {
        min: round(each[0]!),
        median: round(each[each.length >> 1]!),
        max: round(each.at(-1)!),
      },
      bar: size === undefined && name !== "tfjs-node" ? (bars[name] ?? null) : null,
    };
  };
  return {
    images,
    steps_per_turn: stepsPerTurn,
    times: Object.fromEntries(names.map((name) => [name, timing(turns.get(name)!.flat())])),
    ratios: Object.fromEntries(ours.map((name) => [name, ratioOf(name)])),
  };
}

function verdict({ of_minima, rounds: { min, median, max }, bar }: Ratio): string {
  const asked = bar === null ? "" : `, at most ${bar}: ${of_minima <= bar ? "met" : "missed"}`;
  return `${of_minima}; ${median} (${min} to ${max})${asked}`;
}

const mapValues = <Name extends string, A, B>(
  record: Partial<Record<Name, A>>,
  change: (value: A) => B,
): Record<string, B> =>
  Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, change(value as A)] as const),
  );
