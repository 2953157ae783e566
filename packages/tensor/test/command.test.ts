import { expect, test } from "vitest";
import type { ConformanceReport } from "@lejepa/tensor/conformance";
import { main } from "../src/command.js";

const at = (name: string) => `${import.meta.dirname}/adapters/${name}.ts`;

async function run(...args: string[]) {
  const [output, errors]: [string[], string[]] = [[], []];
  const code = await main(
    args,
    (...line) => output.push(...line),
    (...line) => errors.push(...line),
  );
  return { code, output, errors };
}

test("an adapter that keeps the contract gives a table, the counts and exit code 0", async () => {
  const { code, output, errors } = await run("conformance", at("good"));
  expect({ code, errors }).toEqual({ code: 0, errors: [] });
  expect(output[0]).toBe("function              passed  missing   failed");
  expect(output).toContain("sort                      22        -        -");
  expect(output).toContain("allReduceMean              -        5        -");
  expect(output.at(-1)).toBe("float64: 622 passed, 33 missing, 0 failed");
});

test("a broken one gives the cases that fail, and exit code 1", async () => {
  const { code, output } = await run("conformance", at("broken"), "--filter", "sub/values");
  expect(code).toBe(1);
  expect(output).toEqual([
    "function   passed  missing   failed",
    "sub             -        -        2",
    "",
    "FAILED sub/values: the result: entry 0 should be -3, got 5",
    "FAILED sub/values/gradient: gradient 1: entry 0 should be -1, got 1",
    "float64: 0 passed, 0 missing, 2 failed",
  ]);
});

test("--json prints the report", async () => {
  const { code, output } = await run(
    "conformance",
    at("broken"),
    "--json",
    "--filter",
    "sub/values",
  );
  expect(code).toBe(1);
  const report = JSON.parse(output.join("\n")) as ConformanceReport;
  expect(report).toMatchObject({ adapter: "float64", passed: 0, missing: 0, failed: 2 });
  expect(report.results[0]).toEqual({
    id: "sub/values",
    status: "failed",
    reason: "the result: entry 0 should be -3, got 5",
  });
});

test("--export takes another export", async () => {
  const { code } = await run("conformance", at("many"), "--export", "first", "--filter", "add/");
  expect(code).toBe(0);
});

test("--help says how it is called", async () => {
  for (const flag of ["--help", "-h"]) {
    const { code, output } = await run(flag);
    expect(code).toBe(0);
    expect(output.join()).toMatch(/^usage: npx @lejepa\/tensor conformance FILE/);
  }
});

test.each([
  [[], /a command is missing/],
  [["conform", "a.js"], /no command "conform"/],
  [["conformance"], /takes one file, got 0/],
  [["conformance", "a.js", "b.js"], /takes one file, got 2/],
  [["conformance", at("good"), "--fliter", "add"], /Unknown option '--fliter'/],
  [["conformance", at("good"), "--filter"], /argument missing/],
  [["conformance", at("good"), "--filter", "fft/"], /no case has "fft\/" in its id/],
  [["conformance", at("absent")], /absent\.ts cannot be imported: /],
  [["conformance", at("throws-at-import")], /cannot be imported: no device here$/],
  [["conformance", at("many")], /no export "default"\. It exports \w+, \w+, \w+\. Name the one/],
  [["conformance", at("many"), "--export", "second"], /no export "second"/],
  [["conformance", at("many"), "--export", "notOne"], /"notOne" of \S+ is no adapter/],
  [["conformance", at("many"), "--export", "failing"], /throws: no device today$/],
])("%j gives one line that says what is wrong, and exit code 2", async (args, message) => {
  const { code, output, errors } = await run(...args);
  expect({ code, output, lines: errors.length }).toEqual({ code: 2, output: [], lines: 1 });
  expect(errors[0]).toMatch(message);
  expect(errors[0]).toMatch(/^lejepa-tensor: /);
});
