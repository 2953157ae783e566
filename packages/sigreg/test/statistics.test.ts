import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import {
  andersonDarling,
  bhep,
  bhepM,
  comb,
  cramerVonMises,
  directions,
  eppsPulley,
  extendedJarqueBera,
  henzeVisagie,
  henzeZirkler,
  jarqueBera,
  moments,
  nllOrderStatistics,
  orderStatisticNll,
  shapiroWilk,
  sigreg,
  vasicekEntropy,
  vcreg,
  watson,
  type MultivariateTest,
  type UnivariateTest,
} from "@lejepa/sigreg";
import { float64Adapter, type Float64Tensor } from "@lejepa/tensor/float64";

const k = float64Adapter();
const normal = (key: string, count: number) =>
  Array.from({ length: count }, randomNormal.source(seedrandom.alea(key))());

/** What a test answers to: "place" the mean, "spread" the variance, "shape" what is left without them. */
type Seen = "place" | "spread" | "shape";
const univariate: Record<string, { test: UnivariateTest; sees: readonly Seen[]; needs?: "whole" }> =
  {
    eppsPulley: { test: eppsPulley(), sees: ["place", "spread", "shape"] },
    andersonDarling: {
      test: andersonDarling(),
      sees: ["place", "spread", "shape"],
      needs: "whole",
    },
    cramerVonMises: { test: cramerVonMises(), sees: ["place", "spread", "shape"], needs: "whole" },
    watson: { test: watson(), sees: ["spread", "shape"], needs: "whole" },
    "shapiroWilk, blom": { test: shapiroWilk(), sees: ["place", "shape"], needs: "whole" },
    "shapiroWilk, elfving, rahman": {
      test: shapiroWilk({ expected: "elfving", weights: "rahman" }),
      sees: ["place"], // its weights end near 0, so that the tails count little
      needs: "whole",
    },
    "shapiroWilk, centred": {
      test: shapiroWilk({ centring: "mean", expected: "rahman" }),
      sees: ["shape"],
      needs: "whole",
    },
    "vasicekEntropy, centred": {
      test: vasicekEntropy({ reach: 2 }),
      sees: ["shape"],
      needs: "whole",
    },
    "vasicekEntropy, as the reference": {
      test: vasicekEntropy({ ends: "reference" }),
      sees: ["shape"],
      needs: "whole",
    },
    "vasicekEntropy, right": {
      test: vasicekEntropy({ spacings: "right", reach: 2 }),
      sees: ["shape"],
      needs: "whole",
    },
    jarqueBera: { test: jarqueBera(), sees: ["shape"] },
    extendedJarqueBera: { test: extendedJarqueBera(), sees: ["place", "spread", "shape"] },
    vcreg: { test: vcreg(), sees: ["place", "spread", "shape"] },
    moments: { test: moments(), sees: ["place", "spread", "shape"] },
    "moments, 6": { test: moments({ order: 6 }), sees: ["place", "spread", "shape"] },
    nllOrderStatistics: {
      test: nllOrderStatistics(),
      sees: ["place", "spread", "shape"],
      needs: "whole",
    },
    "nllOrderStatistics, alpha 0.3": {
      test: nllOrderStatistics({ alpha: 0.3 }),
      sees: ["place"],
      needs: "whole",
    },
  };

const multivariate: Record<string, MultivariateTest> = {
  "bhep 0.1": bhep(),
  "bhep 0.5": bhep({ beta: 0.5 }),
  "bhep 2": bhep({ beta: 2 }),
  bhepM: bhepM(),
  "bhepM without its constant": bhepM({ beta: 3, constant: "dropped" }),
  "bhepM, log": bhepM({ beta: 2, scale: "log" }),
  henzeZirkler: henzeZirkler(),
  henzeVisagie: henzeVisagie({ gamma: 3 }),
  "henzeVisagie, log": henzeVisagie({ scale: "log" }),
  comb: comb({ gamma: 2 }),
  "comb, log": comb({ gamma: 0.5, scale: "log" }),
};

/** The gradient of sum(f) at x is that of central differences. */
function expectFiniteDifferences(f: (x: Float64Tensor) => Float64Tensor, x: Float64Tensor) {
  const { value, grads } = k.valueAndGrad((at) => k.sum(f(at)), [x]);
  const h = 1e-5;
  const scale = Math.max(1, Math.abs(value.data[0]!), ...grads[0]!.data.map(Math.abs));
  x.data.forEach((_, i) => {
    const moved = (by: number) => {
      const data = x.data.slice();
      data[i]! += by;
      return k.sum(f(k.fromArray(data, x.shape))).data[0]!;
    };
    const slope = (moved(h) - moved(-h)) / (2 * h);
    expect(Math.abs(grads[0]!.data[i]! - slope)).toBeLessThan(1e-7 * scale);
  });
}

describe.each(Object.entries(univariate))("%s", (_name, { test: statistic, sees, needs }) => {
  const [V, N, K] = [2, 9, 3];
  const x = k.fromArray(normal("x", V * N * K), [V, N, K]);

  test("tests leading axes and columns apart, and one axis is one column", () => {
    const all = statistic(k, x);
    expect(all.shape).toEqual([V, K]);
    const column = k.reshape(k.slice(x, [1, 0, 2], [1, N, 1]), [N]);
    expect(statistic(k, column).shape).toEqual([]);
    expect(statistic(k, column).data[0]).toBeCloseTo(all.data[K + 2]!, 12);
    const last = statistic.overLastAxis(k, k.transpose(x, [0, 2, 1]));
    expect(last.shape).toEqual([V, K]);
    last.data.forEach((value, i) => expect(value).toBeCloseTo(all.data[i]!, 12));
  });

  test("does not depend on the order of samples", () => {
    const shuffled = statistic(k, k.gather(x, [4, 0, 8, 5, 2, 7, 1, 3, 6], 1));
    statistic(k, x).data.forEach((v, i) => expect(shuffled.data[i]).toBeCloseTo(v, 11));
  });

  test("has the gradient of finite differences", () => {
    expectFiniteDifferences((at) => statistic(k, at), x);
  });

  test("has a finite gradient where all samples are equal", () => {
    for (const value of [0, 2, -0.3, 1000]) {
      const { grads } = k.valueAndGrad((at) => k.sum(statistic(k, at)), [k.fill([8], value)]);
      expect([...grads[0]!.data].every(Number.isFinite), String(value)).toBe(true);
    }
  });

  test("grows with what it sees", () => {
    // The middles of 100 equal parts of N(0, 1): as normal as 100 numbers can be.
    const middles = k.fromArray(normalMiddles, [100]);
    const departures: Record<Seen, (by: number) => Float64Tensor> = {
      place: (by) => k.add(middles, by),
      spread: (by) => k.mul(middles, 1 + by),
      shape: (by) => k.add(middles, k.mul(k.mul(k.square(middles), middles), by / 4)),
    };
    for (const what of sees) {
      const values = [0, 0.4, 0.8, 1.6].map((by) => statistic(k, departures[what](by)).data[0]!);
      values.slice(1).forEach((value, i) => expect(value, what).toBeGreaterThan(values[i]!));
    }
  });

  test("can be the test of slices, where the sign of a direction does not matter", () => {
    const z = k.fromArray(normal("z", 12 * 4), [12, 4]);
    const a = k.fromArray(directions(4, 6, 1), [4, 6]);
    const value = sigreg(k, z, a, { test: statistic });
    expect(sigreg(k, z, k.neg(a), { test: statistic }).data[0]).toBeCloseTo(value.data[0]!, 11);
  });

  test("in many directions does not depend on the coordinates", () => {
    const z = k.fromArray(normal("z", 20 * 2), [20, 2]);
    const [cos, sin] = [Math.cos(0.7), Math.sin(0.7)];
    const turned = k.matMul(z, k.fromArray([cos, sin, -sin, cos], [2, 2]));
    const a = k.fromArray(directions(2, 512, 5, 0, { sampler: "sobol" }), [2, 512]);
    const value = sigreg(k, z, a, { test: statistic }).data[0]!;
    const other = sigreg(k, turned, a, { test: statistic }).data[0]!;
    expect(Math.abs(other - value)).toBeLessThan(0.04 * Math.abs(value));
  });

  test("over processes is that of the whole batch, or refused", () => {
    // Three processes that have the same samples: the mean over them is that of each.
    const one: typeof k = {
      ...k,
      processes: 3,
      capabilities: [...k.capabilities, "allReduceMean"],
      allReduceMean: (means) => means,
    };
    if (needs === "whole") {
      expect(() => statistic(one, x)).toThrow(expect.objectContaining({ code: "unsupported" }));
      return;
    }
    const whole = k.valueAndGrad((at) => k.sum(statistic(k, at)), [k.concat([x, x, x], 1)]);
    const part = one.valueAndGrad((at) => one.sum(statistic(one, at)), [x]);
    expect(part.value.data[0]).toBeCloseTo(whole.value.data[0]!, 10);
    // Gradients are averaged over processes afterwards, so each is three times its share.
    const share = k.mul(k.slice(whole.grads[0]!, [0, 0, 0], [V, N, K]), 3);
    part.grads[0]!.data.forEach((value, i) => expect(value).toBeCloseTo(share.data[i]!, 10));
  });
});

describe.each(Object.entries(multivariate))("%s", (_name, statistic) => {
  const [V, N, D] = [2, 7, 3];
  const x = k.fromArray(normal("x", V * N * D), [V, N, D]);

  test("tests leading axes apart", () => {
    const all = statistic(k, x);
    expect(all.shape).toEqual([V]);
    const second = k.reshape(k.slice(x, [1, 0, 0], [1, N, D]), [N, D]);
    expect(statistic(k, second).shape).toEqual([]);
    expect(statistic(k, second).data[0]).toBeCloseTo(all.data[1]!, 12);
  });

  test("depends neither on the order of samples nor on the coordinates", () => {
    const [cos, sin] = [Math.cos(0.7), Math.sin(0.7)];
    const turn = k.fromArray([cos, sin, 0, -sin, cos, 0, 0, 0, -1], [3, 3]);
    const other = statistic(k, k.matMul(k.gather(x, [3, 1, 0, 6, 5, 2, 4], 1), turn));
    statistic(k, x).data.forEach((v, i) => expect(other.data[i]! / v).toBeCloseTo(1, 9));
  });

  test("has the gradient of finite differences", () => {
    expectFiniteDifferences((at) => statistic(k, at), x);
  });

  test("has a finite gradient where all samples are equal, zero at 0", () => {
    for (const value of [0, 2, -0.3]) {
      const { grads } = k.valueAndGrad((at) => k.sum(statistic(k, at)), [k.fill([6, 2], value)]);
      expect([...grads[0]!.data].every(Number.isFinite)).toBe(true);
      if (value === 0) expect(Math.max(...grads[0]!.data.map(Math.abs))).toBeLessThan(1e-12);
    }
  });

  test("is refused on one process of several, and for x without samples", () => {
    const one: typeof k = { ...k, capabilities: ["allReduceMean"] };
    expect(() => statistic(one, x)).toThrow(expect.objectContaining({ code: "unsupported" }));
    for (const shape of [[3], [0, 3], [3, 0], []])
      expect(() => statistic(k, k.fill(shape, 1))).toThrow(
        expect.objectContaining({ code: "shape-mismatch" }),
      );
  });
});

test.each<[string, (by: number) => Float64Tensor]>([
  ["place", (by) => k.add(k.fromArray(normal("m", 120), [60, 2]), by)],
  ["spread", (by) => k.mul(k.fromArray(normal("m", 120), [60, 2]), 1 + by)],
])("multivariate statistics but comb grow with a departure in %s", (_what, sample) => {
  const grow = Object.entries(multivariate).filter(([name]) => !name.startsWith("comb"));
  expect(grow).toHaveLength(9);
  for (const [name, statistic] of grow) {
    const values = [0, 0.5, 1, 1.5].map((by) => statistic(k, sample(by)).data[0]!);
    values.slice(1).forEach((value, i) => expect(value, name).toBeGreaterThan(values[i]!));
  }
});

test("comb grows with the tails, and shrinks with samples that stay normal", () => {
  const middles = k.fromArray(normalMiddles, [100, 1]);
  const cubes = k.mul(k.square(middles), middles);
  for (const name of ["comb", "comb, log"]) {
    const at = (x: Float64Tensor) => multivariate[name]!(k, x).data[0]!;
    const tails = [0, 0.2, 0.4, 0.8].map((by) => at(k.add(middles, k.mul(cubes, by / 4))));
    tails.slice(1).forEach((value, i) => expect(value).toBeGreaterThan(tails[i]!));
    const sizes = [1, 0.5, 0.2, 0].map((by) => Math.abs(at(k.mul(middles, by))));
    sizes.slice(1).forEach((value, i) => expect(value).toBeLessThan(sizes[i]!));
    expect(sizes[3]).toBe(0);
  }
});

test("the log scale is sign(S) log(1 + |S|)", () => {
  const x = k.fromArray(normal("x", 14), [7, 2]);
  for (const scaled of [
    (scale: "linear" | "log") => bhepM({ beta: 3, constant: "dropped", scale }),
    (scale: "linear" | "log") => bhepM({ beta: 3, scale }),
    (scale: "linear" | "log") => henzeVisagie({ scale }),
    (scale: "linear" | "log") => comb({ gamma: 1, scale }),
  ]) {
    const value = scaled("linear")(k, x).data[0]!;
    const expected = Math.sign(value) * Math.log1p(Math.abs(value));
    expect(scaled("log")(k, x).data[0]).toBeCloseTo(expected, 12);
  }
});

test.each<[string, UnivariateTest | MultivariateTest, readonly number[], number]>([
  ["andersonDarling", andersonDarling(), [0], 2 * Math.LN2 - 1],
  ["cramerVonMises", cramerVonMises(), [50], 1 / 4],
  ["watson", watson(), [-50, 50], 1 / 16],
  ["shapiroWilk", shapiroWilk(), [-3, 3], 0],
  ["shapiroWilk", shapiroWilk(), [1, 1], 1],
  ["vasicekEntropy", vasicekEntropy(), [-1, 1], Math.sqrt(Math.PI * Math.E)],
  [
    "vasicekEntropy to the right",
    vasicekEntropy({ spacings: "right" }),
    [-1, 1],
    Math.log(Math.PI * Math.E) / 2 - Math.LN2 / 2,
  ],
  ["vasicekEntropy of equal samples", vasicekEntropy(), [2, 2, 2], 0],
  ["vasicekEntropy of equal samples", vasicekEntropy({ spacings: "right" }), [2, 2], -Infinity],
  ["jarqueBera", jarqueBera(), [-1, 1], 1 / 3],
  ["jarqueBera of equal samples", jarqueBera(), [2, 2, 2, 2], 3 / 2],
  ["extendedJarqueBera", extendedJarqueBera(), [-1, 1], 1 / 2 + (2 / 24) * (11 / 4) ** 2],
  ["vcreg", vcreg(), [-1, 1], 1 / 2],
  ["vcreg", vcreg(), [0, 2], 1 + 1 / 2],
  ["vcreg of equal samples", vcreg(), [2, 2], Infinity],
  ["vcreg of zeros", vcreg(), [0, 0], NaN],
  ["moments", moments({ order: 3 }), [2], 2 + 3 * Math.exp(-2) + 8 * Math.exp(-3)],
  ["nllOrderStatistics", nllOrderStatistics(), [0], Math.log(2 * Math.PI) / 2],
])("%s by hand", (_name, statistic, x, expected) => {
  const value = statistic(k, k.fromArray(x, [x.length])).data[0];
  if (Number.isFinite(expected)) expect(value).toBeCloseTo(expected, 13);
  else expect(value).toBe(expected);
});

test.each<[string, MultivariateTest, number]>([
  ["bhep", bhep({ beta: 1 }), 1 - Math.SQRT2 + 1 / Math.sqrt(3)],
  ["henzeZirkler", henzeZirkler(), hzAtZero()],
  ["bhepM", bhepM({ beta: 2 }), 1 / Math.SQRT2 - 2 / Math.sqrt(1.5) + 1],
  ["henzeVisagie", henzeVisagie({ gamma: 2 }), 1 / 4],
  ["comb", comb(), 0],
])("%s of one sample at 0, by hand", (_name, statistic, expected) => {
  expect(statistic(k, k.fill([1, 1], 0)).data[0]).toBeCloseTo(expected, 13);
});

/** N = D = 1: beta² = (3/4)^(2/5) / 2. */
function hzAtZero(): number {
  const square = 0.75 ** 0.4 / 2;
  return 1 - 2 / Math.sqrt(1 + square) + 1 / Math.sqrt(1 + 2 * square);
}

test.each<[string, () => unknown]>([
  ["a misspelt option", () => watson({ sorted: true } as never)],
  ["an unknown order", () => andersonDarling({ order: "descending" as never })],
  ["unknown weights", () => shapiroWilk({ weights: "royston" as never })],
  ["unknown expected order statistics", () => shapiroWilk({ expected: "hazen" as never })],
  ["unknown centring", () => shapiroWilk({ centring: true as never })],
  ["a reach of 0", () => vasicekEntropy({ reach: 0 })],
  ["a floor of 0", () => vasicekEntropy({ floor: 0 })],
  ["unknown ends", () => vasicekEntropy({ ends: "wrapped" as never })],
  ["half a moment", () => moments({ order: 1.5 })],
  ["alpha above 1/2", () => nllOrderStatistics({ alpha: 0.6 })],
  ["alpha 0", () => orderStatisticNll({ alpha: 0 })],
  ["a rank of 0", () => orderStatisticNll({ rank: 0 })],
  ["a rank above the number of samples", () => orderStatisticNll({ rank: 3, among: 2 })],
  ["samples without a rank", () => orderStatisticNll({ among: 2 })],
  ["bhep of width 0", () => bhep({ beta: 0 })],
  ["bhepM where its integral does not exist", () => bhepM({ beta: 1 })],
  ["henzeVisagie of NaN", () => henzeVisagie({ gamma: NaN })],
  ["comb on an unknown scale", () => comb({ scale: "sqrt" as never })],
])("%s is refused", (_what, make) => {
  expect(make).toThrow(expect.objectContaining({ code: "invalid-option" }));
});

test.each<[string, UnivariateTest | MultivariateTest, readonly number[]]>([
  ["vcreg", vcreg(), [1, 3]],
  ["jarqueBera", jarqueBera(), [1, 3]],
  ["extendedJarqueBera", extendedJarqueBera(), [1]],
  ["shapiroWilk", shapiroWilk(), [1, 2]],
  ["vasicekEntropy with too long a reach", vasicekEntropy({ reach: 3 }), [3, 2]],
  ["vasicekEntropy as the reference", vasicekEntropy({ ends: "reference" }), [2, 2]],
  ["orderStatisticNll of a rank that is not there", orderStatisticNll({ rank: 4 }), [3, 1]],
  ["orderStatisticNll of nothing", orderStatisticNll(), [0, 1]],
])("%s needs more samples than a shape of %o has", (_name, statistic, shape) => {
  expect(() => statistic(k, k.fill(shape, 1))).toThrow(
    expect.objectContaining({ code: "shape-mismatch" }),
  );
});

test("samples said to be in ascending order need no sort", () => {
  const x = normal("ascending", 12).sort((a, b) => a - b);
  const unsorted: typeof k = {
    ...k,
    sort: () => {
      throw new Error("sorted");
    },
  };
  for (const make of [
    andersonDarling,
    cramerVonMises,
    watson,
    shapiroWilk,
    vasicekEntropy,
    nllOrderStatistics,
  ]) {
    const sample = k.fromArray(x, [12]);
    expect(() => make()(unsorted, sample)).toThrow("sorted");
    expect(make({ order: "ascending" })(unsorted, sample).data).toEqual(make()(k, sample).data);
  }
});

describe("orderStatisticNll", () => {
  test("puts each loss in the place of its sample; their mean is nllOrderStatistics", () => {
    // One sample of two: density 2 Phi(x) phi(x) for the larger, 2 (1 - Phi(x)) phi(x) for the smaller, here with Phi = 1/2.
    const flat = -Math.log(1 / Math.sqrt(2 * Math.PI));
    const [larger, smaller] = orderStatisticNll()(k, k.fromArray([0.5, 0], [2])).data;
    expect(smaller).toBeCloseTo(flat, 14);
    expect(larger).toBeCloseTo(-Math.log(2 * 0.6914624612740131) + flat + 0.125, 13);
    const x = k.fromArray(normal("nll", 24), [2, 6, 2]);
    for (const alpha of [0.5, 0.2]) {
      const each = orderStatisticNll({ alpha })(k, x);
      expect(each.shape).toEqual([2, 6, 2]);
      const mean = k.mean(each, [1]).data;
      nllOrderStatistics({ alpha })(k, x).data.forEach((v, i) =>
        expect(mean[i]).toBeCloseTo(v, 12),
      );
    }
  });

  test("of a rank alone judges every entry by it", () => {
    const single = orderStatisticNll({ rank: 2, among: 2 })(k, k.fromArray([0.5, -0.3, 0], [3]));
    expect(single.data[2]).toBeCloseTo(Math.log(2 * Math.PI) / 2, 14);
    const losses = orderStatisticNll({ rank: 2, among: 5 });
    expectFiniteDifferences((at) => losses(k, at), single);
  });
});

/** Quantiles of N(0, 1) at (2i - 1) / 200, by bisection of a sum for Phi. */
const normalMiddles = Array.from({ length: 100 }, (_, i) => {
  const p = (2 * i + 1) / 200;
  let [low, high] = [-6, 6];
  for (let step = 0; step < 50; step++) {
    const x = (low + high) / 2;
    let [term, sum] = [x, x];
    for (let j = 1; j < 100; j++) sum += term *= (x * x) / (2 * j + 1);
    if (1 / 2 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI) < p) low = x;
    else high = x;
  }
  return low;
});
