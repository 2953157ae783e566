/** Checks many programs in several processes at once, and shrinks what fails. */
import { Checker, type Verdicts } from "./checker.js";
import type { GenerateOptions } from "./generate.js";
import { isFailure, type Verdict } from "./judge.js";
import { runnableSource, type Program } from "./program.js";
import { shrink, type Failure } from "./shrink.js";
import { targets as allTargets, type Gradients, type TargetName } from "./targets.js";

export interface CampaignOptions {
  /** Seeds first, first + 1, .. */
  readonly first: number;
  readonly programs: number;
  readonly targets: readonly TargetName[];
  /** How many processes; every second one has tfjs's own derivative rules. */
  readonly processes: number;
  readonly generate?: GenerateOptions;
  /** A planted fault. */
  readonly fault?: string;
  /** How many failures at most are shrunk; all when left out. */
  readonly shrunk?: number;
  /** After how many failures to stop; never when left out. */
  readonly enough?: number;
  /** Which failures count; all when left out. */
  readonly isWanted?: (verdict: Verdict) => boolean;
  readonly onProgram?: (done: number, failures: number) => void;
  readonly onFailure?: (found: Found) => void;
}

/** One program that failed on one target. */
export interface Found {
  readonly seed: number;
  readonly target: TargetName;
  readonly gradients: Gradients;
  readonly verdict: Verdict;
  /** The smallest program that fails alike, as a file that runs. */
  readonly source: string;
  readonly operations: number;
  /** Which rows are in it, and whether a gradient is: failures of one kind often have the same. */
  readonly kind: string;
}

export interface CampaignResult {
  readonly programs: number;
  readonly operations: number;
  /** How often each row was drawn. */
  readonly rows: ReadonlyMap<string, number>;
  /** Of each target, how many verdicts of each kind. */
  readonly verdicts: ReadonlyMap<TargetName, ReadonlyMap<Verdict["kind"], number>>;
  /** Of each target, how often it gave each reason to refuse, places and numbers left out. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Numbers compared, and how many of them rounding alone moves by a hundredth or to infinity. */
  readonly compared: number;
  readonly undecided: number;
  readonly failures: readonly Found[];
}

/** Which rules the program of a seed is checked with: the seed alone decides. */
const gradientsOf = (seed: number): Gradients => (seed % 2 === 0 ? "tfjs" : "ops");

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { first, programs, targets, processes } = options;
  const rows = new Map<string, number>();
  const verdicts = new Map(targets.map((target) => [target, new Map<Verdict["kind"], number>()]));
  const refusals = new Map<string, number>();
  const failures: Found[] = [];
  let [done, operations, compared, undecided, shrunk] = [0, 0, 0, 0, 0];
  const seeds = Array.from({ length: programs }, (_, i) => first + i);
  const checkers: Checker[] = [];
  const work = async (gradients: Gradients, ours: number[]): Promise<void> => {
    const checker = new Checker(gradients, options.fault);
    checkers.push(checker);
    for (const seed of ours) {
      if (failures.length >= (options.enough ?? Infinity)) return;
      const program = await checker.generate(seed, options.generate);
      const said = await checker.check(program, targets);
      operations += program.operations.length;
      for (const { row } of program.operations) rows.set(row, (rows.get(row) ?? 0) + 1);
      for (const [target, verdict] of entriesOf(said)) {
        const counts = verdicts.get(target)!;
        counts.set(verdict.kind, (counts.get(verdict.kind) ?? 0) + 1);
        if (verdict.kind === "refused") {
          const reason = `${target}: ${withoutPlaces(verdict.message)}`;
          refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
        }
        if (verdict.kind === "agrees") {
          compared += verdict.compared;
          undecided += verdict.undecided;
        }
        if (!isFailure(verdict) || options.isWanted?.(verdict) === false) continue;
        const smallest =
          shrunk++ < (options.shrunk ?? Infinity)
            ? await smallestOf(checker, program, target, verdict)
            : { program, verdict };
        const found = describe(seed, target, gradients, smallest);
        failures.push(found);
        options.onFailure?.(found);
      }
      done++;
      options.onProgram?.(done, failures.length);
    }
  };
  const lists = (["tfjs", "ops"] as const).map((gradients) => ({
    gradients,
    seeds: seeds.filter((seed) => gradientsOf(seed) === gradients),
  }));
  const each = Math.max(1, Math.ceil(processes / 2));
  const working = Promise.all(
    lists.flatMap(({ gradients, seeds }) =>
      Array.from({ length: each }, (_, i) =>
        work(
          gradients,
          seeds.filter((_, at) => at % each === i),
        ),
      ),
    ),
  );
  try {
    await working;
  } finally {
    for (const checker of checkers) checker.stop();
  }
  return { programs: done, operations, rows, verdicts, refusals, compared, undecided, failures };
}

const entriesOf = (verdicts: Verdicts) => Object.entries(verdicts) as [TargetName, Verdict][];

const withoutPlaces = (message: string): string =>
  message.replace(/\/program-\d+\.mjs:\d+:\d+/g, "..").replace(/\d+/g, "N");

/** What must stay the same while a failure shrinks: for an error, its words without the numbers and names in them. */
const likeness = ({ kind, message }: { kind: string; message?: string }): string =>
  kind === "wrong number" || kind === "process death" || kind === "no answer"
    ? kind
    : `${kind} ${withoutPlaces(message ?? "").slice(0, 60)}`;

/** A process that has to start again, or to be waited for, takes its time. */
const mostTries: Partial<Record<Verdict["kind"], number>> = { "process death": 60, "no answer": 6 };

async function smallestOf(
  checker: Checker,
  program: Program,
  target: TargetName,
  verdict: Verdict,
) {
  const last = { program, verdict };
  const failure: Failure = {
    values: (candidate) => checker.values(candidate),
    fails: async (candidate) => {
      const now = (await checker.check(candidate, [target]))[target]!;
      if (likeness(now) !== likeness(verdict)) return false;
      Object.assign(last, { program: candidate, verdict: now });
      return true;
    },
  };
  const smallest = await shrink(program, failure, mostTries[verdict.kind]);
  return { program: smallest, verdict: last.verdict };
}

function describe(
  seed: number,
  target: TargetName,
  gradients: Gradients,
  { program, verdict }: { program: Program; verdict: Verdict },
): Found {
  const rows = [...new Set(program.operations.map(({ row }) => row))].sort().join(", ");
  const gradient = program.loss.length > 0 ? ", gradient" : "";
  return {
    seed,
    target,
    gradients,
    verdict,
    source: runnableSource(program, { ...allTargets[target], gradients }),
    operations: program.operations.length,
    kind: `${target}: ${verdict.kind} (${rows}${gradient})`,
  };
}
