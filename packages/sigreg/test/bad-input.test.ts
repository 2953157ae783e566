import { describe, expect, test } from "vitest";
import {
  bhep,
  directions,
  eppsPulley,
  lejepaLoss,
  sigreg,
  type SigregErrorCode,
} from "@lejepa/sigreg";
import { float64Adapter } from "@lejepa/tensor/float64";

const k = float64Adapter();
const z = k.fill([2, 4, 3], 1);
const a = k.fill([3, 5], 1);

/** The error that a call throws. */
function thrown(call: () => unknown): { name: string; code: string; message: string } {
  try {
    call();
  } catch (error) {
    return error as ReturnType<typeof thrown>;
  }
  throw new Error("the call returned");
}

type Row = [why: string, code: SigregErrorCode, call: () => unknown];

const rows: Row[] = [
  ["a scalar", "shape-mismatch", () => eppsPulley()(k, k.fill([], 1))],
  ["no samples", "shape-mismatch", () => eppsPulley()(k, k.fill([0, 3], 1))],
  ["no samples in one dimension", "shape-mismatch", () => eppsPulley()(k, k.fill([0], 1))],
  ["one knot", "invalid-option", () => eppsPulley({ points: 1 })],
  ["half a knot", "invalid-option", () => eppsPulley({ points: 2.5 })],
  ["NaN knots", "invalid-option", () => eppsPulley({ points: NaN })],
  ["a range of 0", "invalid-option", () => eppsPulley({ tMax: 0 })],
  ["a NaN range", "invalid-option", () => eppsPulley({ tMax: NaN })],
  ["an infinite range", "invalid-option", () => eppsPulley({ tMax: Infinity })],
  ["an unknown rule", "invalid-option", () => eppsPulley({ rule: "whole" as never })],
  ["knots for the exact rule", "invalid-option", () => eppsPulley({ rule: "exact", points: 17 })],
  [
    "an unknown integration",
    "invalid-option",
    () => eppsPulley({ integration: "romberg" as never }),
  ],
  [
    "Simpson's rule with an even number of knots",
    "invalid-option",
    () => eppsPulley({ integration: "simpson", points: 16 }),
  ],
  [
    "an integration of the exact rule",
    "invalid-option",
    () => eppsPulley({ rule: "exact", integration: "simpson" }),
  ],
  [
    "a range for Gauss-Hermite",
    "invalid-option",
    () => eppsPulley({ integration: "gauss-hermite", tMax: 5 }),
  ],
  [
    "half the line for Gauss-Hermite",
    "invalid-option",
    () => eppsPulley({ integration: "gauss-hermite", rule: "half-range" }),
  ],
  [
    "257 knots for Gauss-Hermite",
    "invalid-option",
    () => eppsPulley({ integration: "gauss-hermite", points: 257 }),
  ],
  ["an option that is not there", "invalid-option", () => eppsPulley({ tmax: 3 } as never)],

  ["embeddings of rank 1", "shape-mismatch", () => sigreg(k, k.fill([3], 1), a)],
  ["no embeddings", "shape-mismatch", () => sigreg(k, k.fill([0, 3], 1), a)],
  [
    "a test that was not made",
    "invalid-option",
    () => sigreg(k, z, a, { test: eppsPulley as never }),
  ],
  ["a test by its name", "invalid-option", () => sigreg(k, z, a, { test: "watson" as never })],
  ["options that are none", "invalid-option", () => sigreg(k, z, a, null as never)],
  [
    "a test of whole embeddings",
    "invalid-option",
    () => sigreg(k, z, a, { test: bhep() as never }),
  ],
  ["directions of another dimension", "shape-mismatch", () => sigreg(k, z, k.fill([4, 5], 1))],
  ["directions of rank 1", "shape-mismatch", () => sigreg(k, z, k.fill([3], 1))],
  ["no directions", "shape-mismatch", () => sigreg(k, z, k.fill([3, 0], 1))],
  ["an unknown reduction", "invalid-option", () => sigreg(k, z, a, { reduction: "max" as never })],
  ["a NaN clip", "invalid-option", () => sigreg(k, z, a, { clip: NaN })],
  ["chunks of nothing", "invalid-option", () => sigreg(k, z, a, { chunk: 0 })],
  ["half a slice at a time", "invalid-option", () => lejepaLoss(k, z, a, { chunk: 1.5 })],
  ["an unknown check", "invalid-option", () => sigreg(k, z, a, { check: true as never })],
  [
    "an unknown check of the loss",
    "invalid-option",
    () => lejepaLoss(k, z, a, { check: "nan" as never }),
  ],

  ["projections of rank 2", "shape-mismatch", () => lejepaLoss(k, k.fill([4, 3], 1), a)],
  ["no views", "shape-mismatch", () => lejepaLoss(k, k.fill([0, 4, 3], 1), a)],
  ["no samples", "shape-mismatch", () => lejepaLoss(k, k.fill([2, 0, 3], 1), a)],
  [
    "lambda above 1 in the convex sum",
    "invalid-option",
    () => lejepaLoss(k, z, a, { lambda: 1.1 }),
  ],
  [
    "lambda below 0",
    "invalid-option",
    () => lejepaLoss(k, z, a, { lambda: -0.1, combine: "additive" }),
  ],
  ["NaN lambda", "invalid-option", () => lejepaLoss(k, z, a, { lambda: NaN })],
  [
    "an unknown combination",
    "invalid-option",
    () => lejepaLoss(k, z, a, { combine: "sum" as never }),
  ],
  [
    "an unknown grouping",
    "invalid-option",
    () => lejepaLoss(k, z, a, { sigreg: "per_view" as never }),
  ],
  ["an unknown target", "invalid-option", () => lejepaLoss(k, z, a, { target: "first" as never })],
  [
    "global target without a number",
    "invalid-option",
    () => lejepaLoss(k, z, a, { target: "global" }),
  ],
  [
    "more global views than views",
    "invalid-option",
    () => lejepaLoss(k, z, a, { target: "global", globalViews: 3 }),
  ],
  [
    "global views without the target",
    "invalid-option",
    () => lejepaLoss(k, z, a, { globalViews: 1 }),
  ],
  ["a misspelt option", "invalid-option", () => lejepaLoss(k, z, a, { lamda: 0.1 } as never)],

  ["dimension 0", "invalid-option", () => directions(0, 4, 0)],
  ["no slices", "invalid-option", () => directions(4, 0, 0)],
  ["a NaN seed", "invalid-option", () => directions(4, 4, NaN)],
  ["a negative step", "invalid-option", () => directions(4, 4, 0, -1)],
  [
    "an unknown sampler",
    "invalid-option",
    () => directions(4, 4, 0, 0, { sampler: "halton" as never }),
  ],
  [
    "more dimensions than Sobol numbers",
    "invalid-option",
    () => directions(1025, 4, 0, 0, { sampler: "sobol" }),
  ],
  ["draws every 0 steps", "invalid-option", () => directions(4, 4, 0, 0, { resample: 0 })],
  [
    "an unknown policy",
    "invalid-option",
    () => directions(4, 4, 0, 0, { resample: "often" as never }),
  ],
  [
    "an option of directions that is not there",
    "invalid-option",
    () => directions(4, 4, 0, 0, { sample: 1 } as never),
  ],
];

describe("bad input is refused", () => {
  test.each(rows)("%s: %s", (_why, code, call) => {
    const error = thrown(call);
    expect([error.name, error.code]).toEqual(["LejepaError", code]);
    expect(error.message).toMatch(/^(eppsPulley|sigreg|lejepaLoss|directions): .+\.$/);
  });

  test("the message says what, where and what to do", () => {
    expect(thrown(() => sigreg(k, z, k.fill([4, 5], 1))).message).toBe(
      "sigreg: directions should have shape [D, M] with D = 3 like embeddings [2, 4, 3], got [4, 5]. " +
        "Draw them with directions(3, slices, seed, step).",
    );
  });
});

test("lambda above 1 is allowed in the additive sum", () => {
  expect(lejepaLoss(k, z, a, { lambda: 2, combine: "additive" }).loss.data[0]).toBeGreaterThan(0);
});
