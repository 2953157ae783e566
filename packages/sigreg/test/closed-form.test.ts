import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import {
  closedFormWorkspace,
  directions,
  eppsPulley,
  lejepaLoss,
  lejepaValueAndGrad,
  sigreg,
  sigregValueAndGrad,
  type FloatArray,
  type LejepaValueAndGradOptions,
  type SigregValueAndGradOptions,
} from "@lejepa/sigreg";
import { float64Adapter } from "@lejepa/tensor/float64";
import { compareCase, type Outputs } from "../../../tools/golden/compare.js";
import { parseGoldenFile, type GoldenCase } from "../../../tools/golden/golden-file.js";

type Make = (data: ArrayLike<number>) => FloatArray;
/** The three ways that numbers take through the package. */
const ways: readonly {
  name: string;
  precision: "float32" | "float64";
  make: Make;
  plain: boolean;
}[] = [
  {
    name: "float32 in WebAssembly",
    precision: "float32",
    make: (x) => Float32Array.from(x),
    plain: false,
  },
  {
    name: "float32 in TypeScript",
    precision: "float32",
    make: (x) => Float32Array.from(x),
    plain: true,
  },
  { name: "float64", precision: "float64", make: (x) => Float64Array.from(x), plain: false },
];
const workspaceOf = (plain: boolean) => closedFormWorkspace({ kernels: plain ? "plain" : "simd" });

const normal = (key: string, count: number) =>
  Array.from({ length: count }, randomNormal.source(seedrandom.alea(key))());

function casesOf(file: string): GoldenCase[] {
  const path = `${import.meta.dirname}/golden/${file}.json`;
  return parseGoldenFile(readFileSync(path, "utf8")).map((golden) => {
    if ("malformed" in golden) throw new Error(`${golden.id}: ${golden.malformed}`);
    return golden;
  });
}

describe.each(ways)("golden values, $name", ({ precision, make, plain }) => {
  const workspace = workspaceOf(plain);

  /** Cases of a file that `compute` computes, and what differs. */
  function check(file: string, compute: (golden: GoldenCase) => Outputs | undefined) {
    const problems: string[] = [];
    let count = 0;
    for (const golden of casesOf(file)) {
      const outputs = compute(golden);
      if (outputs === undefined) continue;
      count++;
      for (const problem of compareCase(golden, outputs, precision))
        problems.push(`${golden.id}: ${problem}`);
    }
    return { problems, count };
  }

  test("of SIGReg", () => {
    const { problems, count } = check("sigreg", ({ inputs, options, values, gradient }) => {
      if (options["univariate"] !== "EppsPulley") return undefined;
      const [x, a] = [inputs["x"]!, inputs["directions"]!];
      const reduction = options["reduction"] as "mean" | "sum" | "none";
      const given = inputs["cotangent"]?.data;
      const result = sigregValueAndGrad(
        make(x.data),
        x.shape,
        make(a.data),
        {
          tMax: options["t_max"] as number,
          points: options["n_points"] as number,
          clip: (options["clip_value"] as number | null) ?? undefined,
          reduction,
          cotangent:
            reduction === "none"
              ? make(given ?? new Array<number>(values["value"]!.data.length).fill(1))
              : undefined,
        },
        { workspace },
      );
      const data = reduction === "none" ? result.statistics : [result.value];
      return {
        values: { value: { shape: values["value"]!.shape, data } },
        gradients: gradient === undefined ? {} : { x: { shape: x.shape, data: result.grad } },
      };
    });
    expect(problems).toEqual([]);
    expect(count).toBe(35);
  });

  test("of the loss", () => {
    const { problems, count } = check("lejepa-loss", ({ inputs, options }) => {
      const proj = inputs["proj"]!;
      const { loss, prediction, sigreg, grad } = lejepaValueAndGrad(
        make(proj.data),
        proj.shape,
        make(inputs["directions"]!.data),
        {
          lambda: options["lambda"] as number,
          combine: options["combine"] as "convex" | "additive",
          sigreg: options["sigreg"] === "pooled" ? "pooled" : "per-view",
          target: options["target"] as "all" | "global",
          globalViews: (options["n_global"] as number | null) ?? undefined,
          tMax: options["t_max"] as number,
          points: options["n_points"] as number,
          rule: options["form"] === "paper" ? "full-range" : "half-range",
        },
        { workspace },
      );
      const scalar = (value: number) => ({ shape: [], data: [value] });
      return {
        values: { total: scalar(loss), pred: scalar(prediction), sigreg: scalar(sigreg) },
        gradients: { proj: { shape: proj.shape, data: grad } },
      };
    });
    expect(problems).toEqual([]);
    expect(count).toBe(33);
  });

  // One column is one slice of one dimension: [V, N, K] -> V K groups of [N, 1], with the direction 1.
  test("of the test itself", () => {
    const { problems, count } = check("epps-pulley", ({ inputs, options, values }) => {
      const { shape, data } = inputs["x"]!;
      const columns = shape.length === 1 ? 1 : shape.at(-1)!;
      const samples = shape.length === 1 ? shape[0]! : shape.at(-2)!;
      const groups = data.length / samples;
      const place = (group: number, n: number) =>
        (Math.floor(group / columns) * samples + n) * columns + (group % columns);
      const z = new Float64Array(data.length).map(
        (_, i) => data[place(Math.floor(i / samples), i % samples)]!,
      );
      const form = options["form"];
      const rule =
        form === "paper" ? "full-range" : form === "exact-integral" ? "exact" : "half-range";
      const result = sigregValueAndGrad(
        make(z),
        [groups, samples, 1],
        Float32Array.of(1),
        {
          rule,
          ...(rule === "exact"
            ? {}
            : { tMax: options["t_max"] as number, points: options["n_points"] as number }),
          reduction: "none",
          cotangent: new Float64Array(groups).fill(1),
        },
        { workspace },
      );
      const grad = new Float64Array(data.length);
      result.grad.forEach(
        (value, i) => (grad[place(Math.floor(i / samples), i % samples)] = value),
      );
      return {
        values: { value: { shape: values["value"]!.shape, data: result.statistics } },
        gradients: { x: { shape, data: grad } },
      };
    });
    expect(problems).toEqual([]);
    expect(count).toBe(120);
  });
});

describe("against the adapters, in float64", () => {
  const k = float64Adapter();
  const [V, N, D, M] = [3, 70, 9, 37];
  const z = Float64Array.from(normal("z", V * N * D));
  const a = Float64Array.from(directions(D, M, 7));
  const tensors = { z: k.fromArray(z, [V, N, D]), a: k.fromArray(a, [D, M]) };
  const closest = (got: ArrayLike<number>, expected: ArrayLike<number>) => {
    expect(got).toHaveLength(expected.length);
    const greatest = Math.max(...Array.from(expected, Math.abs));
    Array.from(got).forEach((value, i) =>
      expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-12 * Math.max(1, greatest)),
    );
  };

  const losses: LejepaValueAndGradOptions[] = [
    {},
    { lambda: 0.5, sigreg: "pooled", combine: "additive" },
    { lambda: 1, points: 8, tMax: 4, rule: "full-range" },
    { lambda: 0.3, target: "global", globalViews: 2, points: 2 },
    { lambda: 0.9, points: 33, integration: "simpson" },
    { lambda: 0.9, points: 12, integration: "gauss-hermite" },
    { lambda: 0.5, rule: "exact" },
  ];
  test.each(losses)("the loss with %o is that of lejepaLoss", (options) => {
    const expected = lejepaLoss(k, tensors.z, tensors.a, options);
    const { grads } = k.valueAndGrad((x) => lejepaLoss(k, x, tensors.a, options).loss, [tensors.z]);
    const got = lejepaValueAndGrad(z, [V, N, D], a, options);
    closest(
      [got.loss, got.prediction, got.sigreg],
      [expected.loss.data[0]!, expected.prediction.data[0]!, expected.sigreg.data[0]!],
    );
    closest(got.grad, grads[0]!.data);
  });

  const sigregs: SigregValueAndGradOptions[] = [
    { reduction: "sum" },
    { clip: 0.5 },
    { reduction: "none", clip: 0.3, cotangent: Float64Array.from(normal("cotangent", V * M)) },
  ];
  test.each(sigregs)("SIGReg with %o is that of sigreg", (options) => {
    const { cotangent, reduction, clip } = options;
    const value = (x: typeof tensors.z) => {
      const result = sigreg(k, x, tensors.a, { test: eppsPulley(), reduction, clip });
      return cotangent ? k.sum(k.mul(result, k.fromArray(cotangent, [V, M]))) : result;
    };
    const expected = k.valueAndGrad(value, [tensors.z]);
    const got = sigregValueAndGrad(z, [V, N, D], a, options);
    closest([got.value], expected.value.data);
    closest(got.statistics, sigreg(k, tensors.z, tensors.a, { reduction: "none", clip }).data);
    closest(got.grad, expected.grads[0]!.data);
  });
});

describe("WebAssembly and plain TypeScript", () => {
  test("WebAssembly SIMD is there where these tests run, and can be left aside", () => {
    expect(closedFormWorkspace().kernels).toBe("simd");
    expect(closedFormWorkspace({ kernels: "plain" }).kernels).toBe("plain");
  });

  // The difference is float32 rounding of WebAssembly; the plain loops are float64 inside.
  const shapes = [
    [[1, 1, 1], 1],
    [[3, 7, 5], 11],
    [[2, 512, 128], 256],
    [[1, 1000, 33], 130],
    [[4, 65, 300], 50],
  ] as const;
  test.each(shapes)(
    "agree on %o with %i slices to 1e-6 in the value and in the gradient",
    (shape, slices) => {
      const z = Float32Array.from(normal(`z/${shape.join()}`, shape[0] * shape[1] * shape[2]));
      const a = directions(shape[2], slices, 0);
      const compute = (kernels: "simd" | "plain") =>
        sigregValueAndGrad(z, shape, a, {}, { workspace: closedFormWorkspace({ kernels }) });
      const [simd, plain] = [compute("simd"), compute("plain")];
      expect(Math.abs(simd.value / plain.value - 1)).toBeLessThan(1e-6);
      const norm = (x: Float32Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
      const difference = simd.grad.map((value, i) => value - plain.grad[i]!);
      expect(norm(difference)).toBeLessThan(1e-6 * norm(plain.grad));
    },
  );

  test("agree on samples far from the origin, up to 60,000", () => {
    const z = Float32Array.from(normal("far", 64)).map((x, i) => x * 10 ** (i % 5) * 2);
    const results = [false, true].map((isPlain) =>
      sigregValueAndGrad(z, [64, 1], Float32Array.of(1), {}, { workspace: workspaceOf(isPlain) }),
    );
    expect(results[0]!.value / results[1]!.value).toBeCloseTo(1, 5);
  });
});

describe.each(ways)("calls, $name", ({ make, plain }) => {
  const [V, N, D, M] = [2, 130, 24, 72];
  const z = make(normal("calls", V * N * D));
  const a = make(directions(D, M, 1));

  test("with the same workspace do not see what was left in it", () => {
    const workspace = workspaceOf(plain);
    const first = sigregValueAndGrad(z, [V, N, D], a, {}, { workspace }).grad;
    sigregValueAndGrad(
      make(normal("other", 700).fill(NaN)),
      [70, 10],
      make(directions(10, 9, 0)),
      {},
      { workspace },
    );
    sigregValueAndGrad(
      make(normal("large", 50_000)),
      [1000, 50],
      make(directions(50, 90, 0)),
      { points: 40 },
      { workspace },
    );
    expect(sigregValueAndGrad(z, [V, N, D], a, {}, { workspace }).grad).toEqual(first);
  });

  test("without buffers return arrays of their own", () => {
    const first = sigregValueAndGrad(z, [V, N, D], a);
    const kept = { ...first, grad: first.grad.slice(), statistics: first.statistics.slice() };
    sigregValueAndGrad(z.map((x) => 2 * x) as FloatArray, [V, N, D], a);
    expect(first).toEqual(kept);
    expect(first.grad.constructor).toBe(z.constructor);
  });

  test("give NaN back, and leave finite views finite", () => {
    const broken = z.slice() as FloatArray;
    broken[5] = NaN;
    const { value, statistics, grad } = sigregValueAndGrad(
      broken,
      [V, N, D],
      a,
      {},
      { workspace: workspaceOf(plain) },
    );
    expect(value).toBeNaN();
    expect(statistics.subarray(0, M).every(Number.isNaN)).toBe(true);
    expect(statistics.subarray(M).every(Number.isFinite)).toBe(true);
    expect(grad.subarray(N * D).every(Number.isFinite)).toBe(true);
  });

  test("with both buffers allocate no array, and next to nothing else", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const buffers = { grad: z.slice() as FloatArray, workspace: workspaceOf(plain) };
    const [shape, sigregOptions, lossOptions] = [[V, N, D], { clip: 0.01 }, { lambda: 0.1 }];
    const small = [make(normal("few", 2 * 16 * 4)), make(directions(4, 8, 0))] as const;
    const smallBuffers = { grad: small[0].slice() as FloatArray, workspace: workspaceOf(plain) };
    const smallShape = [2, 16, 4];
    const calls = (count: number) => {
      for (let i = 0; i < count; i++) {
        sigregValueAndGrad(small[0], smallShape, small[1], sigregOptions, smallBuffers);
        lejepaValueAndGrad(small[0], smallShape, small[1], lossOptions, smallBuffers);
      }
    };
    sigregValueAndGrad(z, shape, a, sigregOptions, buffers);
    lejepaValueAndGrad(z, shape, a, lossOptions, buffers);
    calls(3000); // Until it is compiled.
    collect();
    const before = process.memoryUsage();
    for (let i = 0; i < 5; i++) {
      sigregValueAndGrad(z, shape, a, sigregOptions, buffers);
      lejepaValueAndGrad(z, shape, a, lossOptions, buffers);
    }
    calls(500);
    const after = process.memoryUsage();
    expect(after.arrayBuffers).toBeLessThanOrEqual(before.arrayBuffers);
    // The heap grows by short-lived objects only: names of options, sizes, boxed numbers.
    expect((after.heapUsed - before.heapUsed) / 1010).toBeLessThan(2048);
  });
});

describe("directions are [D, M] of unit columns", () => {
  const z = Float32Array.from(normal("directions", 2 * 16 * 4));
  const shape = [2, 16, 4];
  const refused = expect.objectContaining({ name: "LejepaError", code: "shape-mismatch" }) as Error;
  const both = (a: FloatArray) => [
    () => lejepaValueAndGrad(z, shape, a),
    () => sigregValueAndGrad(z, shape, a),
  ];
  const samplers = ["gaussian", "orthogonal", "sobol"] as const;

  test.each(samplers)("those of another dimension never fit: %s", (sampler) => {
    for (const dim of [1, 2, 3, 5, 8, 16, 64])
      for (const slices of [4, 8, 32])
        for (const call of both(directions(dim, slices, 0, 0, { sampler })))
          expect(call).toThrow(refused);
  });

  test.each(samplers)("those of this one fit: %s", (sampler) => {
    for (const slices of [1, 3, 64])
      for (const make of [(x: Float32Array) => x, (x: Float32Array) => Float64Array.from(x)])
        for (const call of both(make(directions(4, slices, 0, 0, { sampler }))))
          expect(call).not.toThrow();
  });

  const basis = (scale: (m: number) => number) =>
    Float32Array.from({ length: 16 }, (_, at) => (at % 5 === 0 ? scale(at / 5) : 0));
  test("one's own are taken as they are, if of length 1 to a thousandth", () => {
    for (const call of both(basis((m) => (m % 2 === 0 ? 1.0005 : -0.9995))))
      expect(call).not.toThrow();
    for (const length of [0, 0.99, 1.01, 2, NaN, Infinity])
      for (const call of both(basis((m) => (m === 2 ? length : 1)))) expect(call).toThrow(refused);
  });

  test("laid out as [M, D] they are refused, with the column and its length", () => {
    const [M, D] = [6, 4];
    const a = directions(D, M, 1);
    const transposed = Float32Array.from(a, (_, at) => a[(at % D) * M + Math.floor(at / D)]!);
    for (const call of both(transposed)) expect(call).toThrow(/column \d of the 6 .* has length/);
  });

  test("a gradient that shares memory with the embeddings is refused", () => {
    const memory = new Float32Array(2 * z.length);
    memory.set(z);
    const own = memory.subarray(0, z.length);
    const a = directions(4, 8, 0);
    for (const start of [0, 1, z.length - 1]) {
      const grad = memory.subarray(start, start + z.length);
      expect(() => sigregValueAndGrad(own, shape, a, {}, { grad })).toThrow(refused);
    }
    const grad = memory.subarray(z.length);
    expect(sigregValueAndGrad(own, shape, a, {}, { grad }).grad).toBe(grad);
  });
});

describe("bad input is refused", () => {
  const [z, a] = [new Float32Array(24), new Float32Array(8)];
  const refused = (code: string) => expect.objectContaining({ name: "LejepaError", code }) as Error;

  test.each<[string, () => unknown]>([
    ["a shape of another size", () => sigregValueAndGrad(z, [5, 4], a)],
    ["a shape of one axis", () => sigregValueAndGrad(z, [24], a)],
    ["no samples", () => sigregValueAndGrad(new Float32Array(0), [0, 4], a)],
    ["directions of another dimension", () => sigregValueAndGrad(z, [8, 3], a)],
    ["no directions", () => sigregValueAndGrad(z, [6, 4], new Float32Array(0))],
    ["a gradient that is too short", () => sigregValueAndGrad(z, [6, 4], a, {}, { grad: a })],
    ["the embeddings as gradient", () => sigregValueAndGrad(z, [6, 4], a, {}, { grad: z })],
    [
      "a cotangent of another length",
      () => sigregValueAndGrad(z, [6, 4], a, { reduction: "none", cotangent: z }),
    ],
    ["a loss without views", () => lejepaValueAndGrad(z, [6, 4], a)],
  ])("%s", (_, call) => {
    expect(call).toThrow(refused("shape-mismatch"));
  });

  test.each<[string, () => unknown]>([
    ["a misspelt option", () => sigregValueAndGrad(z, [6, 4], a, { tmax: 3 } as object)],
    ["a reduction", () => sigregValueAndGrad(z, [6, 4], a, { reduction: "max" as "sum" })],
    ["no cotangent for none", () => sigregValueAndGrad(z, [6, 4], a, { reduction: "none" })],
    [
      "a cotangent for the mean",
      () => sigregValueAndGrad(z, [6, 4], a, { cotangent: new Float32Array(2) }),
    ],
    ["clip NaN", () => sigregValueAndGrad(z, [6, 4], a, { clip: NaN })],
    ["tMax 0", () => sigregValueAndGrad(z, [6, 4], a, { tMax: 0 })],
    ["lambda above 1", () => lejepaValueAndGrad(z, [2, 3, 4], a, { lambda: 1.1 })],
    [
      "lambda infinite",
      () => lejepaValueAndGrad(z, [2, 3, 4], a, { lambda: Infinity, combine: "additive" }),
    ],
    ["a target", () => lejepaValueAndGrad(z, [2, 3, 4], a, { target: "none" as "all" })],
    [
      "more global views than views",
      () => lejepaValueAndGrad(z, [2, 3, 4], a, { target: "global", globalViews: 3 }),
    ],
    [
      "global views without their target",
      () => lejepaValueAndGrad(z, [2, 3, 4], a, { globalViews: 1 }),
    ],
    [
      "a misspelt buffer",
      () => sigregValueAndGrad(z, [6, 4], a, {}, { gradient: new Float32Array(24) } as object),
    ],
    [
      "a workspace of one's own",
      () => lejepaValueAndGrad(z, [2, 3, 4], a, {}, { workspace: { kernels: "plain" } }),
    ],
    ["kernels", () => closedFormWorkspace({ kernels: "gpu" as "plain" })],
  ])("%s", (_, call) => {
    expect(call).toThrow(refused("invalid-option"));
  });
});
