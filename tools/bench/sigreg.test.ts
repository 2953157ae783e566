import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../backends.js";
import {
  implementations,
  openSigreg,
  sigregInputs,
  type SigregShape,
} from "./sigreg-evaluations.js";

const shape: SigregShape = [2, 24, 6, 10];

/** Relative to the greatest entry. */
function distance(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(got).toHaveLength(expected.length);
  const greatest = Math.max(...Array.from(expected, Math.abs));
  return Math.max(...Array.from(got, (value, i) => Math.abs(value - expected[i]!))) / greatest;
}

test.for(implementations.filter((name) => name !== "closed-form"))(
  "what the benchmark times as %s computes what the closed form does",
  async (name, context) => {
    if (name === "tensorflow") needs("tensorflow", context);
    const first = await (await openSigreg("closed-form", shape))();
    const { value, grad } = await (await openSigreg(name, shape))();
    expect(Math.abs(value / first.value - 1)).toBeLessThan(1e-5);
    expect(distance(grad, first.grad)).toBeLessThan(1e-5);
  },
);

test("and so does the formula in PyTorch", (context) => {
  needs("python", context);
  const folder = mkdtempSync(join(tmpdir(), "lejepa-sigreg-"));
  try {
    const file = join(folder, "numbers.f32");
    const { embeddings, directions } = sigregInputs(shape);
    writeFileSync(file, Buffer.concat([embeddings, directions].map((x) => Buffer.from(x.buffer))));
    const script = join(import.meta.dirname, "peers", "sigreg_formula.py");
    const args = ["--shape", shape.join(), "--mode", "eager", "--threads", "1", "--replay", file];
    const printed = execFileSync("python3", [script, ...args], { encoding: "utf8" });
    const formula = JSON.parse(printed) as { value: number; grad: number[] };
    return openSigreg("closed-form", shape)
      .then((evaluate) => evaluate())
      .then(({ value, grad }) => {
        expect(Math.abs(value / formula.value - 1)).toBeLessThan(1e-5);
        expect(distance(grad, formula.grad)).toBeLessThan(1e-5);
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
