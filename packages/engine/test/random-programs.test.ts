import "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-cpu";
import { createEngine } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { loweringTable } from "../src/kernels/table.js";
import { runCampaign } from "./random-programs/campaign.js";
import { Checker } from "./random-programs/checker.js";
import { foundValues } from "./random-programs/found-values.js";
import { generate, tensorOf } from "./random-programs/generate.js";
import { judge, whatIsMissing, type Outcome } from "./random-programs/judge.js";
import { families, operations } from "./random-programs/operations.js";
import { plantedFaults } from "./random-programs/planted-faults.js";
import { runnableSource, type Program } from "./random-programs/program.js";
import { fileOf, stepOf } from "./random-programs/run-source.js";
import { shrink } from "./random-programs/shrink.js";
import { targets, type TargetName } from "./random-programs/targets.js";

beforeAll(async () => {
  await createEngine("eager", { backend: "cpu" });
  await tf.setBackend("cpu");
});

/** More of them: `npm run fuzz`. */
const programs = { first: 1, programs: 240 };

describe("eager against the compiled engines", () => {
  const named: TargetName[] = ["onnx", "gathered"];
  if (namedBackends.includes("tensorflow")) named.push("tensorflow");

  test(`${programs.programs} random programs give the same or are refused in full`, async () => {
    const result = await runCampaign({ ...programs, targets: named, processes: 2 });
    expect(result.failures.map(({ seed, source, verdict }) => ({ seed, verdict, source }))).toEqual(
      [],
    );
    expect(result.programs).toBe(programs.programs);
    // What is refused or drowns in rounding is not compared.
    for (const target of named) {
      const counts = result.verdicts.get(target)!;
      const agreed = counts.get("agrees") ?? 0;
      expect(agreed / programs.programs, `${target} computes`).toBeGreaterThan(0.6);
    }
    expect(result.undecided / result.compared).toBeLessThan(0.05);
    expect(result.rows.size).toBeGreaterThan(0.9 * Object.keys(operations).length);
  }, 600_000);
});

describe("what is drawn", () => {
  test("a seed gives the same program in every process", async () => {
    const checker = new Checker("tfjs");
    const program = await checker.generate(11);
    checker.stop();
    expect(print(generate(11))).toBe(print(program));
    expect(print(generate(12))).not.toBe(print(program));
  });

  test("programs have 10 to 30 operations, gradients and a state, tensors of every rank and none empty of them", () => {
    const drawn = Array.from({ length: 40 }, (_, seed) => generate(seed));
    const values = drawn.flatMap(({ operations }) => operations.flatMap(({ results }) => results));
    const ranks = new Set(values.map(({ shape }) => shape.length));
    expect([0, 1, 2, 3, 4, 5, 6].filter((rank) => !ranks.has(rank))).toEqual([]);
    expect(new Set(values.map(({ dtype }) => dtype))).toEqual(
      new Set(["float32", "int32", "bool"]),
    );
    expect(values.some(({ shape }) => shape.includes(0))).toBe(true);
    expect(drawn.filter(({ loss }) => loss.length > 0).length).toBeGreaterThan(36);
    for (const { operations } of drawn) expect(operations.length).toBeLessThanOrEqual(30);
  });

  test("every row belongs to a family that is drawn from", () => {
    expect(families.flatMap(({ rows }) => rows).sort()).toEqual(Object.keys(operations).sort());
  });

  /** Lowered kernels that no row reaches. */
  const outOfReach: Readonly<Record<string, string>> = {
    LogicalXor: "tf.logicalXor is made of the others",
  };

  test("every kernel that is lowered is reached by a row, or a reason stands here", async () => {
    const reached = new Set<string>();
    // Rows of truth values take those of comparisons.
    for (const row of Object.keys(operations))
      for (let seed = 0; seed < 8; seed++) {
        const program = generate(seed, { rows: [row, "tf.less"], length: [2, 4] });
        for (const kernel of await kernelsOf(program)) reached.add(kernel);
      }
    const lowered = Object.keys(loweringTable).filter(
      (name) => typeof loweringTable[name] === "function",
    );
    const missing = lowered.filter((name) => !reached.has(name));
    expect(missing.sort()).toEqual(Object.keys(outOfReach).sort());
  });
});

/** What is the same of two equal programs, names and numbers included. */
const print = (program: Program): string =>
  runnableSource(program, { ...targets.onnx, gradients: "tfjs" });

/** The kernels that a step calls on tfjs's cpu backend, in its gradients too. */
async function kernelsOf(program: Program): Promise<readonly string[]> {
  const { kernels } = await tf.profile(() => {
    const named = (role: string) =>
      Object.fromEntries(
        program.inputs
          .filter((input) => input.role === role)
          .map((input) => [input.name, tensorOf(input)]),
      );
    return stepOf(program)(named("parameter"), named("input")).outputs;
  });
  return kernels.map(({ name }) => name);
}

describe("a failure", () => {
  afterAll(() => tf.disposeVariables());

  test("shrinks to the operation that it is about", async () => {
    const program = generate(3);
    const guilty = program.operations.find(({ row }) => row !== "tf.zeros")!.row;
    const isAbout = ({ operations }: Program) => operations.some(({ row }) => row === guilty);
    const smallest = await shrink(program, {
      fails: (candidate) =>
        Promise.resolve(isAbout(candidate) && foundValues(candidate) !== undefined),
      values: (candidate) => Promise.resolve(foundValues(candidate)),
    });
    expect(smallest.operations.map(({ row }) => row)).toEqual([guilty]);
    expect(smallest.runs).toBe(1);
    expect(smallest.outputs.length + smallest.loss.length).toBe(1);
  });

  test.each(Object.entries(plantedFaults))(
    "is found and shrunk where %s",
    async (fault, { verdict, kernel }) => {
      const { failures } = await runCampaign({
        first: 1,
        programs: 200,
        targets: ["onnx"],
        processes: 2,
        fault,
        enough: 1,
        isWanted: (given) => given.kind === verdict,
      });
      expect(failures.length).toBeGreaterThan(0);
      expect(failures[0]!.verdict.kind).toBe(verdict);
      expect(failures[0]!.operations).toBeLessThanOrEqual(3);
      expect(failures[0]!.source).toMatch(kernel);
    },
    300_000,
  );
});

describe("the judgement", () => {
  const program = generate(1);
  const line = `${fileOf(program)}:3:14`;
  const given = (...data: number[]): Outcome => ({
    numbers: [{ y: { shape: [data.length], data: Float32Array.from(data) } }],
  });
  const thrown = (name: string, message: string): Outcome => ({
    error: { name, code: "unsupported-kernel", message },
  });
  const kindOf = (eager: Outcome, noisy: Outcome, got: Outcome) =>
    judge(program, eager, [noisy], got).kind;

  test("takes NaN for NaN, infinities for their like, and 1e-4 for nothing", () => {
    expect(
      kindOf(given(NaN, Infinity, 1), given(NaN, Infinity, 1), given(NaN, Infinity, 1.00005)),
    ).toBe("agrees");
    for (const wrong of [given(NaN, 1), given(0, Infinity), given(NaN, -Infinity)])
      expect(kindOf(given(NaN, Infinity), given(NaN, Infinity), wrong)).toBe("wrong number");
    expect(kindOf(given(1), given(1), given(1.001))).toBe("wrong number");
    expect(kindOf(given(1e-12), given(1e-12), given(0))).toBe("wrong number");
    expect(kindOf(given(1), given(1), given(1, 1))).toBe("wrong shape");
  });

  test("allows what rounding moves, and leaves undecided what it turns into NaN", () => {
    expect(kindOf(given(1e-9), given(3e-9), given(0))).toBe("agrees");
    expect(kindOf(given(Infinity), given(NaN), given(3))).toBe("agrees");
  });

  test("takes an error only if it is coded and names the kernel, the line and the way out", () => {
    const full = `The onnx engine cannot lower the tfjs kernel Unique, called at ${line}; do it outside the step.`;
    expect(kindOf(given(1), given(1), thrown("LejepaError", full))).toBe("refused");
    expect(kindOf(given(1), given(1), thrown("TypeError", full))).toBe("raw error");
    expect(kindOf(thrown("Error", "no"), thrown("Error", "no"), given(1))).toBe("not refused");
    expect(whatIsMissing(program, full.replace("Unique", "it"))).toEqual(["the kernel"]);
    expect(whatIsMissing(program, full.replace(line, "an unknown line"))).toContain("the line");
    expect(whatIsMissing(program, full.replace("; do it outside the step", ""))).toEqual([
      "the way out",
    ]);
    expect(
      whatIsMissing(
        program,
        `The lowering of Relu, called at ${line}, ignores x. Please report this.`,
      ),
    ).toEqual(["the way out"]);
  });
});
