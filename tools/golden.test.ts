import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = `${import.meta.dirname}/..`;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "golden-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
}

/** Runs the tool as `npm run golden` does. */
function golden(...args: string[]): Outcome {
  const lines = (text: string) => text.split("\n").filter((line) => line !== "");
  try {
    const tsx = join(root, "node_modules/tsx/dist/cli.mjs");
    const stdout = execFileSync(process.execPath, [tsx, "tools/golden.ts", ...args], {
      cwd: root,
      encoding: "utf8",
      stdio: "pipe",
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    return { code: 0, lines: lines(stdout), errors: [] };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, lines: lines(stdout), errors: lines(stderr) };
  }
}

/** The stored Epps-Pulley file, cut to its first three cases and changed. */
function file(name: string, change: (cases: GoldenJson[]) => void): string {
  const stored = JSON.parse(
    readFileSync(`${root}/packages/sigreg/test/golden/epps-pulley.json`, "utf8"),
  ) as { cases: GoldenJson[] };
  const cases = stored.cases.slice(0, 3);
  change(cases);
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ cases }));
  return path;
}

interface GoldenJson {
  id: string;
  inputs: Record<string, { shape: number[]; data: (number | string)[] }>;
  options: Record<string, unknown>;
  expected: {
    value: { shape: number[]; data: (number | string)[] };
    grad: Record<string, { shape: number[]; data: number[]; index?: number[] }>;
  };
}

test("a file whose cases pass ends with the counts and exit code 0", () => {
  const { code, lines } = golden(file("passes.json", () => undefined));
  expect(lines.at(-2)).toMatch(/passes\.json on float64, tfjs, tfjs-wasm, .*tfjs-onnx, .*jax$/);
  expect(lines.at(-1)).toBe("3 passed, 0 failed");
  expect(code).toBe(0);
});

test("each file has its counts, and one failing case makes the exit code 1", () => {
  const good = file("good.json", () => undefined);
  const bad = file("bad.json", ([, second]) => {
    second!.expected.grad["x"]!.data[0]! += 0.01;
  });
  const { code, lines } = golden("--adapter", "float64", bad, good);
  expect(lines[0]).toMatch(/bad\.json on float64$/);
  expect(lines[1]).toMatch(/^FAILED \S+: float64: gradient of x\[0\] is \S+ instead of \S+$/);
  expect(lines.filter((line) => line.endsWith("failed"))).toEqual([
    "2 passed, 1 failed",
    "3 passed, 0 failed",
  ]);
  expect(code).toBe(1);
});

test("what is not built fails with its name, and so does an option that nobody reads", () => {
  const path = file("unbuilt.json", ([first, second]) => {
    first!.options["test"] = "Lilliefors";
    second!.options["bandwidth"] = 2;
  });
  const { code, lines } = golden("--adapter", "float64", path);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/not supported: option test = "Lilliefors"$/),
    expect.stringMatching(/not supported: option bandwidth of EppsPulley$/),
    "1 passed, 2 failed",
  ]);
  expect(code).toBe(1);
});

test("every way to compute the Epps-Pulley integral has its option, alone, in slices and in the loss", () => {
  // One sample at 0 has the characteristic function 1.
  const f = (t: number) => (1 - Math.exp((-t * t) / 2)) ** 2 * Math.exp((-t * t) / 2);
  const integrals: [Record<string, unknown>, number][] = [
    [{ t_max: 2, n_points: 3 }, 2 * (f(1) + f(2) / 2)],
    [{ t_max: 2, n_points: 3, form: "half-range" }, 2 * (f(1) + f(2) / 2)],
    [{ t_max: 2, t_min: -2, n_points: 3, form: "full-range" }, 2 * f(2)],
    [{ t_max: 2, n_points: 3, integration: "trapezoid" }, 2 * (f(1) + f(2) / 2)],
    [{ t_max: 2, n_points: 3, integration: "simpson" }, (2 / 3) * (4 * f(1) + f(2))],
    [
      { t_max: 2, n_points: 5, integration: "simpson", form: "full-range" },
      (1 / 3) * (8 * f(1) + 2 * f(2)),
    ],
    [
      { n_points: 2, integration: "gauss-hermite" },
      Math.sqrt(2 * Math.PI) * (1 - Math.exp(-0.5)) ** 2,
    ],
  ];
  const tolerance = { rtol: 1e-9, atol: 0, float64: { rtol: 1e-9, atol: 0 } };
  const one = (...shape: number[]) => ({ shape, data: [1] });
  const zero = (...shape: number[]) => ({ shape, data: [0] });
  const cases = integrals.flatMap(([options, value], i) => [
    {
      id: `test ${i}`,
      inputs: { x: zero(1, 1, 1, 1) },
      options: { test: "EppsPulley", layout: "B,V,N,K", ...options },
      expected: { value: { shape: [1, 1, 1], data: [value] } },
      tolerance,
    },
    {
      id: `slices ${i}`,
      inputs: { x: zero(1, 1), directions: one(1, 1) },
      options: { univariate: "EppsPulley", reduction: "sum", ...options },
      expected: { value: { shape: [], data: [value] } },
      tolerance,
    },
    {
      id: `loss ${i}`,
      inputs: { proj: zero(1, 1, 1), directions: one(1, 1) },
      options: {
        ...{ lambda: 0.5, target: "all", sigreg: "pooled", combine: "additive" },
        ...options,
      },
      expected: { total: { shape: [], data: [value / 2] } },
      tolerance,
    },
  ]);
  const path = join(folder, "integrals.json");
  writeFileSync(path, JSON.stringify({ cases }));
  const { lines } = golden("--adapter", "float64", path);
  expect(lines.slice(1)).toEqual(["21 passed, 0 failed"]);
});

test("an option that would be ignored fails the case with the reason", () => {
  const path = file("ignored.json", ([first, second, third]) => {
    Object.assign(first!.options, { integration: "gauss-hermite" });
    Object.assign(second!.options, { integration: "romberg" });
    Object.assign(third!.options, { t_min: -2 });
  });
  const { lines } = golden("--adapter", "float64", path);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/"gauss-hermite" is over the whole line\. Leave out rule and tMax\.$/),
    expect.stringMatching(/not supported: option integration = "romberg"$/),
    expect.stringMatching(/not supported: t_min = -2 instead of 0$/),
    "0 passed, 3 failed",
  ]);
});

test("a gradient of one number is asked for by its name, whatever its shape", () => {
  const path = file("column.json", ([first, second]) => {
    first!.inputs["x"] = { shape: [1, 1], data: [0] };
    first!.expected.value = { shape: [1], data: [0] };
    first!.expected.grad = { x: { shape: [1, 1], data: [0] } };
    Object.assign(first!.expected, { grad_of: "value" });
    Object.assign(first!.options, { t_max: 1e-6 });
    Object.assign(second!.expected, { grad_of: "value" });
  });
  const { lines } = golden("--adapter", "float64", path);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/not supported: the gradient of "value" of shape \[2\]$/),
    "2 passed, 1 failed",
  ]);
});

test("a sampled gradient is compared at its positions, and a text for infinity as infinity", () => {
  const path = file("sampled.json", ([first, second, third]) => {
    const gradient = first!.expected.grad["x"]!;
    gradient.index = [3, 5];
    gradient.data = [gradient.data[3]!, gradient.data[5]!];
    const other = second!.expected.grad["x"]!;
    other.index = [3, 5];
    other.data = [other.data[3]!, other.data[4]!];
    third!.expected.value.data[0] = "Infinity";
  });
  const { lines } = golden("--adapter", "float64", path);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/gradient of x\[5\] is \S+ instead of \S+$/),
    expect.stringMatching(/value\[0\] is \S+ instead of Infinity/),
    "1 passed, 2 failed",
  ]);
});

test("a malformed case counts as failed, and a value without tolerance is not let through", () => {
  const path = file("malformed.json", ([first, second]) => {
    first!.inputs["x"]!.data.pop();
    delete (second as unknown as { tolerance?: unknown }).tolerance;
  });
  const { lines } = golden("--adapter", "float64", path);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/malformed: inputs\.x has 23 values for shape \[12, 2\]$/),
    expect.stringMatching(/malformed: tolerance is not an object$/),
    "1 passed, 2 failed",
  ]);
});

test("mistakes in the call give one line and exit code 1", () => {
  const notJson = join(folder, "not-json.json");
  writeFileSync(notJson, "{ cases: ");
  const noCases = join(folder, "no-cases.json");
  writeFileSync(noCases, `{"cases": []}`);
  const calls: [string[], RegExp][] = [
    [["--adaptor", "tfjs", "a.json"], /Unknown option '--adaptor'/],
    [["--adapter", "torch", "a.json"], /no adapter "torch"/],
    [[], /no file given/],
    [["--adapter", "float64", join(folder, "absent.json")], /there is no such file/],
    [["--adapter", "float64", notJson], /not JSON/],
    [["--adapter", "float64", noCases], /"cases" is empty/],
  ];
  for (const [args, message] of calls) {
    const { code, errors } = golden(...args);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(message);
    expect(code).toBe(1);
  }
});
