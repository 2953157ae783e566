import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mutantsOf } from "./mutants-of.js";
import { everyMutant, runMutants } from "./run-mutants.js";
import { survivors } from "./survivors.js";

const all = everyMutant();
const listed = survivors.flatMap(({ mutants }) => mutants);

test("the mutants of a small file are these", () => {
  const file = `
    export function mean(x: number[], dims = "drop"): number {
      requireNumbers("mean", "x", x);
      if (x.length === 0) return 0;
      return sum([...x], dims) / x.slice().length;
    }
  `;
  expect(mutantsOf("small.ts", file).map(({ id }) => id.slice("small.ts ".length))).toEqual([
    'mean: requireNumbers("mean", "x", x); -> return x; requireNumbers("mean", "x", x);',
    'mean: dims = "drop" -> dims = "keep"',
    "mean: x.length === 0 -> true",
    "mean: x.length === 0 -> false",
    "mean: x.length === 0 -> x.length !== 0",
    "mean: x.length === 0 -> x.length === 1",
    "mean: x.length === 0 -> x.length === -1",
    "mean: return 0; -> return 1;",
    "mean: return 0; -> return -1;",
    "mean: sum([...x], dims) / x.slice().length -> sum([...x], dims) * x.slice().length",
    "mean: sum([...x], dims) -> sum(dims, [...x])",
    "mean: sum([...x], dims) -> [...x]",
    "mean: sum([...x], dims) -> dims",
    "mean: [...x] -> x",
    "mean: x.slice() -> x",
  ]);
});

test("a mutant is its file with one place changed", () => {
  const [mutant] = mutantsOf("small.ts", "export const twice = (x: number) => x + x; // as it is");
  expect(mutant?.text).toBe("export const twice = (x: number) => x - x; // as it is");
});

test("no two mutants have the same id, and each that is said to survive is one", () => {
  const ids = all.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(listed.filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(listed).size).toBe(listed.length);
});

test("the README of the package says how many there are", () => {
  const readme = readFileSync(`${import.meta.dirname}/../../packages/tensor/README.md`, "utf8");
  const [noticed, survive] = [all.length - listed.length, listed.length];
  expect(readme).toContain(
    `Of ${all.length.toLocaleString("en")} small faults in the float64 adapter (\`npm run mutants\`), ${noticed.toLocaleString("en")} are noticed by a case and ${survive} change nothing that a case could see`,
  );
});

// Every twelfth: the whole is `npm run mutants`.
test("the conformance cases notice every mutant of a sample but those that are listed with a reason", async () => {
  const sample = all.filter((_, i) => i % 12 === 5);
  const outcomes = await runMutants(sample, 2, 120);
  const alive = outcomes.filter(({ noticedBy }) => noticedBy === undefined).map(({ id }) => id);
  expect(alive).toEqual(sample.map(({ id }) => id).filter((id) => listed.includes(id)));
  expect(sample.length - alive.length).toBeGreaterThan(70);
}, 600_000);

test("a file that fails as it is stops the run: else every mutant would seem to be noticed", async () => {
  const [one] = all;
  await expect(
    runMutants([one!], 1, 120, undefined, () => "export const nothing = 1;"),
  ).rejects.toThrow(/fails as it is/);
});
