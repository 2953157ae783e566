import { expect, test } from "vitest";
import * as sigregPackage from "@lejepa/sigreg";
import { float64Adapter, type Float64Tensor } from "@lejepa/tensor/float64";
import { faultsOf, functionsOf, works, type ArgumentRow } from "../../../tools/bad-arguments.js";

const {
  closedFormWorkspace,
  directions,
  lejepaLoss,
  lejepaValueAndGrad,
  logNormCdf,
  sigreg,
  sigregValueAndGrad,
} = sigregPackage;
const k = float64Adapter();
const z = k.fill([2, 4, 3], 0.5);
const a = k.fromArray(directions(3, 5, 0), [3, 5]);
const flat = new Float32Array(24).fill(0.5);
const slices = directions(3, 5, 0);
const knots = { points: 9, rule: "full-range", integration: "trapezoid", tMax: 4 } as const;
const loss = {
  lambda: 0.5,
  combine: "additive",
  sigreg: "pooled",
  target: "global",
  globalViews: 1,
  ...knots,
} as const;
const optional = (options: object) =>
  Object.fromEntries(Object.keys(options).map((name) => [name, ["nothing"]]));

/** A test that is made with options, and applied to an adapter and x. */
const madeTest = (
  name: string,
  make: (options?: never) => (adapter: typeof k, x: Float64Tensor) => unknown,
  options: object | undefined,
  allowed: ArgumentRow["allowed"] = {},
): ArgumentRow[] => [
  {
    name,
    call: make,
    args: options === undefined ? [] : [options],
    ...(options && { options: 0 }),
    allowed: {
      ...optional(options ?? {}),
      0: ["nothing", "an object", "an object without prototype", "a date"],
      ...allowed,
    },
  },
  { name: `${name}()`, call: make(), args: [k, z] },
];

const rows: ArgumentRow[] = [
  {
    name: "directions",
    call: directions,
    args: [3, 5, 0, 0, { sampler: "sobol", resample: 2 }],
    options: 4,
    allowed: {
      2: ["-1"],
      3: ["nothing"],
      4: ["nothing", "an object", "an object without prototype", "a date"],
      sampler: ["nothing"],
      resample: ["nothing"],
    },
  },
  {
    name: "sigreg",
    call: sigreg,
    args: [
      k,
      z,
      a,
      {
        test: sigregPackage.watson(),
        reduction: "none",
        clip: 0.1,
        chunk: 2,
        check: "finite",
      },
    ],
    options: 3,
    allowed: {
      3: ["nothing", "an object", "an object without prototype", "a date"],
      test: ["nothing"],
      reduction: ["nothing"],
      clip: ["nothing", "-1", "1.5"],
      chunk: ["nothing"],
      check: ["nothing"],
    },
  },
  {
    name: "lejepaLoss",
    call: lejepaLoss,
    args: [k, z, a, { ...loss, chunk: 2, check: "finite" }],
    options: 3,
    allowed: {
      3: ["nothing", "an object", "an object without prototype", "a date"],
      ...optional({ ...loss, chunk: 2, check: "finite" }),
      target: [],
      globalViews: [],
      lambda: ["nothing", "1.5"],
      tMax: ["nothing", "1.5"],
    },
  },
  {
    name: "sigregValueAndGrad",
    call: sigregValueAndGrad,
    args: [
      flat,
      [2, 4, 3],
      slices,
      { reduction: "none", clip: 0.1, cotangent: new Float32Array(10), ...knots },
      { workspace: closedFormWorkspace(), grad: new Float32Array(24) },
    ],
    options: 3,
    allowed: {
      3: ["nothing", "an object", "an object without prototype", "a date"],
      4: ["nothing", "an object", "an object without prototype", "a date"],
      clip: ["nothing", "-1", "1.5"],
      ...optional(knots),
      tMax: ["nothing", "1.5"],
    },
  },
  {
    name: "lejepaValueAndGrad",
    call: lejepaValueAndGrad,
    args: [
      flat,
      [2, 4, 3],
      slices,
      loss,
      { workspace: closedFormWorkspace(), grad: new Float32Array(24) },
    ],
    options: 3,
    allowed: {
      3: ["nothing", "an object", "an object without prototype", "a date"],
      4: ["nothing", "an object", "an object without prototype", "a date"],
      ...optional(loss),
      target: [],
      globalViews: [],
      lambda: ["nothing", "1.5"],
      tMax: ["nothing", "1.5"],
    },
  },
  {
    name: "lejepaValueAndGrad with buffers",
    call: (buffers: object) =>
      lejepaValueAndGrad(flat, [2, 4, 3], slices, {}, buffers as { grad?: Float32Array }),
    args: [{ workspace: closedFormWorkspace(), grad: new Float32Array(24) }],
    options: 0,
    allowed: {
      0: ["nothing", "an object", "an object without prototype", "a date"],
      workspace: ["nothing"],
      grad: ["nothing"],
    },
  },
  {
    name: "closedFormWorkspace",
    call: closedFormWorkspace,
    args: [{ kernels: "plain" }],
    options: 0,
    allowed: {
      0: ["nothing", "an object", "an object without prototype", "a date"],
      kernels: ["nothing"],
    },
  },
  { name: "logNormCdf", call: logNormCdf, args: [k, z] },
  ...madeTest("eppsPulley", sigregPackage.eppsPulley, knots, { tMax: ["nothing", "1.5"] }),
  ...madeTest("andersonDarling", sigregPackage.andersonDarling, { order: "any" }),
  ...madeTest("cramerVonMises", sigregPackage.cramerVonMises, { order: "any" }),
  ...madeTest("watson", sigregPackage.watson, { order: "any" }),
  ...madeTest("shapiroWilk", sigregPackage.shapiroWilk, {
    expected: "blom",
    weights: "rahman",
    centring: "mean",
    order: "any",
  }),
  ...madeTest(
    "vasicekEntropy",
    sigregPackage.vasicekEntropy,
    { reach: 1, spacings: "right", ends: "vasicek", floor: 1, order: "any" },
    { floor: ["nothing", "1.5"] },
  ),
  ...madeTest("jarqueBera", sigregPackage.jarqueBera, undefined),
  ...madeTest("extendedJarqueBera", sigregPackage.extendedJarqueBera, undefined),
  ...madeTest("vcreg", sigregPackage.vcreg, undefined),
  ...madeTest("moments", sigregPackage.moments, { order: 3 }),
  ...madeTest("nllOrderStatistics", sigregPackage.nllOrderStatistics, {
    alpha: 0.25,
    order: "any",
  }),
  ...madeTest("orderStatisticNll", sigregPackage.orderStatisticNll, {
    alpha: 0.25,
    inside: "nan",
    rank: 2,
    among: 4,
  }),
  ...madeTest("bhep", sigregPackage.bhep, { beta: 1 }, { beta: ["nothing", "1.5"] }),
  ...madeTest("henzeZirkler", sigregPackage.henzeZirkler, undefined),
  ...madeTest(
    "bhepM",
    sigregPackage.bhepM,
    { beta: 10, constant: "kept", scale: "log" },
    { beta: ["nothing", "1.5"] },
  ),
  ...madeTest(
    "henzeVisagie",
    sigregPackage.henzeVisagie,
    { gamma: 2, scale: "log" },
    { gamma: ["nothing", "1.5"] },
  ),
  ...madeTest(
    "comb",
    sigregPackage.comb,
    { gamma: 2, scale: "log" },
    { gamma: ["nothing", "1.5"] },
  ),
];

test("every function of the package has a row", () => {
  const named = new Set(rows.map(({ name }) => name.split(/[ (]/)[0]));
  expect([...named].sort()).toEqual(functionsOf(sigregPackage));
});

test.each(rows)(
  "$name refuses what is none of its arguments, by one sentence with a code",
  async (row) => {
    expect(await works(row)).toBe(true);
    expect(await faultsOf(row)).toEqual([]);
  },
);
