import type { TensorAdapter } from "../contract.js";
import { conformanceCases } from "./cases.js";
import type { ConformanceCase } from "./conformance-case.js";

/** The outcome of one case. */
export interface ConformanceResult {
  /** The case's id. */
  readonly id: string;
  /** - "passed": the promise holds.
   *  - "missing": the adapter says that it lacks a capability, and the call threw `unsupported`, as it should.
   *  - "failed": anything else; see `reason`. */
  readonly status: "passed" | "missing" | "failed";
  /** What differed, for a failed case. */
  readonly reason?: string;
}

/** What an adapter keeps of the contract. */
export interface ConformanceReport {
  /** The adapter's name. */
  readonly adapter: string;
  /** Number of cases that passed. */
  readonly passed: number;
  /** Number of cases whose capability the adapter declares missing, and which threw `unsupported`. */
  readonly missing: number;
  /** Number of cases that failed; 0 for an adapter that keeps the contract. */
  readonly failed: number;
  /** One entry for each case, in order. */
  readonly results: readonly ConformanceResult[];
}

/** Runs the conformance cases on an adapter, one after another; never throws because of the adapter, and a case that has
 *  not finished after 20 seconds has failed.
 *  @param adapter The adapter to try.
 *  @param cases The cases to run; by default all of them.
 *  @returns The outcome of every case. */
export async function runConformance<T>(
  adapter: TensorAdapter<T>,
  cases: readonly ConformanceCase[] = conformanceCases,
): Promise<ConformanceReport> {
  const results: ConformanceResult[] = [];
  for (const test of cases) results.push(await runCase(adapter, test));
  const count = (status: ConformanceResult["status"]) =>
    results.filter((r) => r.status === status).length;
  return {
    adapter: adapter.name,
    passed: count("passed"),
    missing: count("missing"),
    failed: count("failed"),
    results,
  };
}

const secondsForACase = 20;

/** A promise that never settles, such as that of a `read` that waits for a lost device, fails its case. */
async function withinTime(run: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`it has not finished after ${secondsForACase} seconds`);
    timer = setTimeout(() => reject(error), secondsForACase * 1000);
  });
  try {
    await Promise.race([run, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function runCase<T>(
  adapter: TensorAdapter<T>,
  test: ConformanceCase,
): Promise<ConformanceResult> {
  const { id } = test;
  const declared: readonly string[] = Array.isArray(adapter.capabilities)
    ? adapter.capabilities
    : [];
  const lacks = test.needs.filter((capability) => !declared.includes(capability));
  try {
    await withinTime(test.run(adapter));
  } catch (error) {
    const { name, code, message } = error as { name?: unknown; code?: unknown; message?: unknown };
    const refused = name === "LejepaError" && code === "unsupported";
    if (refused && lacks.length > 0) return { id, status: "missing" };
    return { id, status: "failed", reason: String(message ?? error) };
  }
  if (lacks.length > 0)
    return {
      id,
      status: "failed",
      reason: `${lacks.join(", ")} is not declared, so the call should throw "unsupported"; it returned`,
    };
  return { id, status: "passed" };
}
