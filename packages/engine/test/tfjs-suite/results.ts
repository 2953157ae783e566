/** The outcomes of tfjs-core's cases, each run once, and what is wrong with them. */
import type { Gradients, Outcome, TfjsCase, TfjsSuite } from "./suite.js";

export interface CaseResult {
  readonly name: string;
  /** With the gradients of `@lejepa/ops`. */
  readonly ours: Outcome;
  /** With those of tfjs-core; left out where the case asks for no gradient. */
  readonly theirs: Outcome | undefined;
}

export interface SuiteResults {
  /** Of one case; it is run at the first call. */
  of(tfjsCase: TfjsCase): Promise<CaseResult>;
  /** Of every case. */
  all(): Promise<CaseResult[]>;
}

export function suiteResults({ cases }: TfjsSuite): SuiteResults {
  const known = new Map<TfjsCase, CaseResult>();
  const of = async (tfjsCase: TfjsCase): Promise<CaseResult> => {
    const before = known.get(tfjsCase);
    if (before) return before;
    const run = (gradients: Gradients) => tfjsCase.run(gradients);
    const ours = await run("@lejepa/ops");
    const theirs = ours.derived.length > 0 ? await run("tfjs-core") : undefined;
    const result = { name: tfjsCase.name, ours, theirs };
    known.set(tfjsCase, result);
    return result;
  };
  return {
    of,
    all: async () => {
      const results: CaseResult[] = [];
      for (const each of cases) results.push(await of(each));
      return results;
    },
  };
}

/** Why the case failed. */
const errorOf = ({ ours, theirs }: CaseResult): string | undefined =>
  ours.error ?? (theirs?.error && `with tfjs-core's gradients: ${theirs.error}`);

/** Failed, of those that should pass: the ones that ask for nothing that is refused. */
export const failed = (result: CaseResult): boolean =>
  !result.ours.refused && errorOf(result) !== undefined;

/** What is wrong with a case's result, in words; undefined where it came out as expected. */
export function surprise(result: CaseResult, expected: ReadonlySet<string>): string | undefined {
  if (failed(result) === expected.has(result.name)) return undefined;
  return failed(result)
    ? `${result.name}: ${errorOf(result)}`
    : `${result.name}: it passes, take it out of the expected failures`;
}
