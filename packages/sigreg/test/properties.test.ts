import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { beforeAll, describe, expect, test, vi } from "vitest";
import {
  directions,
  eppsPulley,
  lejepaLoss,
  sigreg,
  type EppsPulleyOptions,
  type LejepaLossOptions,
} from "@lejepa/sigreg";
import { unsupported } from "@lejepa/tensor/error";
import { float64Adapter } from "@lejepa/tensor/float64";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";

beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend("cpu");
});

const k = float64Adapter();
const normal = (key: string, count: number) =>
  Array.from({ length: count }, randomNormal.source(seedrandom.alea(key))());
const [V, N, D, M] = [3, 6, 4, 5];
const z = k.fromArray(normal("z", V * N * D), [V, N, D]);
const a = k.fromArray(directions(D, M, 7), [D, M]);

describe("sigreg", () => {
  test("does not depend on the order of the samples", () => {
    const shuffled = k.gather(z, [4, 0, 5, 2, 1, 3], 1);
    expect(sigreg(k, shuffled, a).data[0]).toBeCloseTo(sigreg(k, z, a).data[0]!, 12);
  });

  test("does not depend on the sign of a direction", () => {
    expect(sigreg(k, z, k.neg(a)).data[0]).toBeCloseTo(sigreg(k, z, a).data[0]!, 12);
  });

  test("tests leading axes apart, and slices apart", () => {
    const each = sigreg(k, z, a, { reduction: "none" });
    expect(each.shape).toEqual([V, M]);
    const one = k.matMul(
      k.reshape(k.slice(z, [1, 0, 0], [1, N, D]), [N, D]),
      k.slice(a, [0, 3], [D, 1]),
    );
    expect(each.data[1 * M + 3]).toBeCloseTo(eppsPulley()(k, one).data[0]!, 12);
    expect(sigreg(k, z, a).data[0]).toBeCloseTo(k.mean(each).data[0]!, 12);
    expect(sigreg(k, z, a, { reduction: "sum" }).data[0]).toBeCloseTo(k.sum(each).data[0]!, 12);
  });

  test("drops slices below the clip value, with their gradient", () => {
    const each = sigreg(k, z, a, { reduction: "none" });
    const clip = [...each.data].sort((x, y) => x - y)[7]!;
    const kept = sigreg(k, z, a, { reduction: "none", clip });
    expect([...kept.data]).toEqual([...each.data].map((value) => (value < clip ? 0 : value)));
    const { grads } = k.valueAndGrad((x) => sigreg(k, x, a, { clip: 1e6 }), [z]);
    expect(grads[0]!.data.every((value) => value === 0)).toBe(true);
  });

  const integrals: EppsPulleyOptions[] = [
    {},
    { rule: "full-range" },
    { rule: "exact" },
    { integration: "simpson" },
    { integration: "gauss-hermite" },
  ];

  test("of rotated embeddings is that of the embeddings along directions rotated back", () => {
    const rotation = k.fromArray(directions(D, D, 1, 0, { sampler: "orthogonal" }), [D, D]);
    expect(sigreg(k, k.matMul(z, rotation), a).data[0]).toBeCloseTo(
      sigreg(k, z, k.matMul(rotation, a)).data[0]!,
      12,
    );
  });

  test("does not depend on a rotation in expectation over directions", () => {
    // Stretched embeddings, whose slices differ; four standard errors of the mean over 4000 directions.
    const stretched = k.mul(z, k.fromArray([0.2, 0.5, 1, 3], [D]));
    const rotation = k.fromArray(directions(D, D, 1, 0, { sampler: "orthogonal" }), [D, D]);
    const many = 4000;
    const each = (x: typeof z, seed: number) =>
      sigreg(k, x, k.fromArray(directions(D, many, seed), [D, many]), { reduction: "none" });
    const mean = (x: typeof z) => k.mean(x).data[0]!;
    const [plain, rotated] = [each(stretched, 0), each(k.matMul(stretched, rotation), 1)];
    const variance = mean(k.square(k.sub(plain, mean(plain))));
    expect(Math.abs(mean(rotated) - mean(plain))).toBeLessThan(
      4 * Math.sqrt((2 * variance) / many),
    );
    // One direction alone would tell them apart.
    expect(variance).toBeGreaterThan(0.1);
  });

  test.each(integrals)(
    "grows as samples leave N(0, 1), by mean and by spread, with %o",
    (options) => {
      const x = k.fromArray(normal("row", 400), [400, 1]);
      const at = (shift: number, scale: number) =>
        eppsPulley(options)(k, k.add(k.mul(x, scale), shift)).data[0]!;
      const shifts = [0, 0.5, 1, 2].map((shift) => at(shift, 1));
      const scales = [1, 1.5, 2, 3].map((scale) => at(0, scale));
      for (const values of [shifts, scales, [1, 0.7, 0.4, 0.1].map((scale) => at(0, scale))]) {
        expect(values[0]).toBeLessThan(1);
        expect(values).toEqual([...values].sort((p, q) => p - q));
      }
    },
  );

  test.each(integrals)(
    "has a finite gradient when all embeddings are the same, with %o",
    (options) => {
      const test = eppsPulley(options);
      for (const value of [0, 2, 1000]) {
        const { grads } = k.valueAndGrad(
          (x) => sigreg(k, x, a, { test }),
          [k.fill([V, N, D], value)],
        );
        expect(grads[0]!.data.every(Number.isFinite)).toBe(true);
        // At 0 the derivative is zero by symmetry: nothing says which way to go.
        if (value === 0) expect(Math.max(...grads[0]!.data.map(Math.abs))).toBeLessThan(1e-12);
      }
    },
  );
});

describe("the gradient", () => {
  const variants: LejepaLossOptions[] = [
    {},
    { lambda: 0.5, sigreg: "pooled", combine: "additive" },
    { lambda: 1, points: 8, tMax: 4, rule: "full-range" },
    { lambda: 0.3, target: "global", globalViews: 2, points: 2 },
    { lambda: 0.9, points: 33, tMax: 5 },
    { lambda: 0.5, rule: "exact" },
    { lambda: 0.6, integration: "simpson", points: 9, tMax: 4 },
    { lambda: 0.6, integration: "simpson", rule: "full-range" },
    { lambda: 0.6, integration: "gauss-hermite", points: 12 },
  ];

  test.each(variants)("of the loss with %o equals finite differences", (options) => {
    const { grads } = k.valueAndGrad((x) => lejepaLoss(k, x, a, options).loss, [z]);
    const h = 1e-5;
    z.data.forEach((_, i) => {
      const moved = (by: number) => {
        const data = z.data.slice();
        data[i]! += by;
        return lejepaLoss(k, k.fromArray(data, z.shape), a, options).loss.data[0]!;
      };
      expect(grads[0]!.data[i]).toBeCloseTo((moved(h) - moved(-h)) / (2 * h), 7);
    });
  });

  test.each(variants)("of the loss with %o is the same without customGradient", (options) => {
    const plain: typeof k = {
      ...k,
      capabilities: ["valueAndGrad"],
      customGradient: () => unsupported("plain", "customGradient"),
    };
    const expected = k.valueAndGrad((x) => lejepaLoss(k, x, a, options).loss, [z]);
    const got = plain.valueAndGrad((x) => lejepaLoss(plain, x, a, options).loss, [z]);
    expect(got.value.data[0]).toBeCloseTo(expected.value.data[0]!, 13);
    got.grads[0]!.data.forEach((value, i) =>
      expect(value).toBeCloseTo(expected.grads[0]!.data[i]!, 13),
    );
  });

  test("of the directions is there for who wants it", () => {
    const { grads } = k.valueAndGrad((x) => sigreg(k, z, x), [a]);
    const data = a.data.slice();
    data[3]! += 1e-5;
    const moved =
      (sigreg(k, z, k.fromArray(data, a.shape)).data[0]! - sigreg(k, z, a).data[0]!) / 1e-5;
    expect(grads[0]!.data[3]).toBeCloseTo(moved, 4);
  });
});

describe("on tfjs", () => {
  const k32 = tfjsAdapter();

  test("float32 holds at 4,096 samples", () => {
    const x = normal("many", 4096 * 2).map(Math.fround);
    const exact = eppsPulley()(k, k.fromArray(x, [4096, 2])).data;
    const rounded = k32.readSync(eppsPulley()(k32, k32.fromArray(x, [4096, 2])));
    rounded.forEach((value, i) => expect(Math.abs(value / exact[i]! - 1)).toBeLessThan(1e-4));
  });

  test("value and gradient take few kernels, one sine and one cosine, and read no value", () => {
    const projections = tf.tensor(normal("p", 4 * 8 * 3), [4, 8, 3]);
    const slices = tf.tensor(directions(3, 16, 0), [3, 16]);
    const engine = tf.engine();
    const run = engine.runKernel.bind(engine);
    const read = vi.spyOn(tf.Tensor.prototype, "dataSync");
    const kernels = (points: number) => {
      const names: string[] = [];
      engine.runKernel = (name, ...rest) => {
        names.push(name);
        return run(name, ...rest);
      };
      try {
        tf.tidy(
          () =>
            k32.valueAndGrad((x) => lejepaLoss(k32, x, slices, { points }).loss, [projections])
              .value,
        );
      } finally {
        engine.runKernel = run;
      }
      return names.filter((name) => name !== "Identity" && name !== "Reshape");
    };
    expect(kernels(17).length).toBeLessThan(80);
    // Their number grows like the square root of that of the knots.
    expect(kernels(65).length).toBeLessThan(140);
    expect(kernels(65).filter((name) => name === "Sin" || name === "Cos")).toEqual(["Cos", "Sin"]);
    expect(read).not.toHaveBeenCalled();
    read.mockRestore();
  });

  test("leaves no tensors behind but its results", () => {
    const projections = tf.tensor(normal("p", 2 * 8 * 3), [2, 8, 3]);
    const slices = tf.tensor(directions(3, 16, 0), [3, 16]);
    const before = tf.memory().numTensors;
    const { value, grads } = k32.valueAndGrad(
      (x) => lejepaLoss(k32, x, slices).loss,
      [projections],
    );
    expect(tf.memory().numTensors).toBe(before + 2);
    tf.dispose([value, grads]);
  });
});
