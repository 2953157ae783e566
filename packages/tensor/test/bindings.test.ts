import { spawnSync } from "node:child_process";
import { beforeAll, expect, test } from "vitest";
import { conformanceCases, runConformance } from "@lejepa/tensor/conformance";
import { brokenAdapter } from "./adapters/broken.js";

const root = `${import.meta.dirname}/../../..`;

/** What the broken adapter fails: cases of `sub`. */
let failing: readonly string[];
beforeAll(async () => {
  const { results } = await runConformance(await brokenAdapter());
  failing = results.filter(({ status }) => status === "failed").map(({ id }) => id);
  expect(failing.slice(0, 3)).toEqual(["sub/values", "sub/values/gradient", "sub/number-first"]);
});

/** Runs a test file of test/bindings with the test framework that it is for. */
function run(framework: "vitest" | "node", broken: "" | "yes") {
  const file = `packages/tensor/test/bindings/conformance.${framework}.ts`;
  const args = {
    vitest: [
      `${root}/node_modules/vitest/vitest.mjs`,
      ...["run", "--config", "packages/tensor/test/bindings/vitest.config.ts"],
    ],
    node: ["--import", "tsx", "--test", "--test-reporter=tap", file],
  };
  const { status, stdout, stderr } = spawnSync(process.execPath, args[framework], {
    cwd: root,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], NO_COLOR: "1", BROKEN: broken },
  });
  return { status, stdout: stdout + stderr };
}

test("vitest runs each case as a test", () => {
  const { status, stdout } = run("vitest", "");
  expect(stdout).toContain(`Tests  ${conformanceCases.length} passed`);
  expect(status).toBe(0);
});

test("vitest names the cases that a broken adapter fails, and why", () => {
  const { status, stdout } = run("vitest", "yes");
  expect(stdout).toContain("float64 keeps the tensor contract > sub/values");
  expect(stdout).toContain("the result: entry 0 should be -3, got 5");
  expect(stdout).toContain(
    `Tests  ${failing.length} failed | ${conformanceCases.length - failing.length} passed`,
  );
  expect(status).toBe(1);
});

test("node:test runs each case as a test", () => {
  const { status, stdout } = run("node", "");
  expect(stdout).toMatch(new RegExp(`^# pass ${conformanceCases.length}$`, "m"));
  expect(status).toBe(0);
});

test("node:test names the cases that a broken adapter fails, and why", () => {
  const { status, stdout } = run("node", "yes");
  expect([...stdout.matchAll(/^ +not ok \d+ - (\S+)$/gm)].map(([, id]) => id)).toEqual(failing);
  expect(stdout).toContain("the result: entry 0 should be -3, got 5");
  expect(status).toBe(1);
});
