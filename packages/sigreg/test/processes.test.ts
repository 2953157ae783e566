import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { directions, lejepaLoss, sigreg } from "@lejepa/sigreg";
import { float64Adapter } from "@lejepa/tensor/float64";
import { sharedMemory } from "./ranks/exchange.js";
import { compute, type Computed, type Objective, type Plain } from "./ranks/objective.js";
import type { RankTask } from "./ranks/rank.js";

const [V, P, D, M] = [2, 5, 4, 6];
const k = float64Adapter();
const normal = (key: string, shape: readonly number[]): Plain => {
  const draw = randomNormal.source(seedrandom.alea(key))();
  return { shape, data: Array.from({ length: shape.reduce((a, b) => a * b) }, draw) };
};
const weights = normal("weights", [P, D]);
const slices: Plain = { shape: [D, M], data: directions(D, M, 3) };

const objectives: Record<string, Objective> = {
  "the loss": { of: "loss", options: {} },
  "the loss, pooled and additive": {
    of: "loss",
    options: { sigreg: "pooled", combine: "additive", lambda: 0.5 },
  },
  "the loss towards the global views": {
    of: "loss",
    options: { target: "global", globalViews: 1, lambda: 0.3, rule: "full-range" },
  },
  "the loss in chunks": { of: "loss", options: { chunk: 4, lambda: 0.9, integration: "simpson" } },
  "the loss by Gauss-Hermite": {
    of: "loss",
    options: { integration: "gauss-hermite", points: 9, lambda: 0.5 },
  },
  "SIGReg, summed": { of: "sigreg", options: { reduction: "sum" } },
  "SIGReg, clipped": { of: "sigreg", options: { clip: 4 } },
};
/** A module that reads TypeScript and then imports that of a rank: the loader of this thread is not that of another. */
const rankModule = `
  import { register } from "tsx/esm/api";
  register();
  await import(${JSON.stringify(new URL("ranks/rank.ts", import.meta.url).href)});`;

/** Runs every objective on K threads, the samples shared out among them. */
async function onRanks(images: Plain, sizes: readonly number[]): Promise<Computed[][]> {
  const memory = sharedMemory(sizes.length, 1000);
  const workers = sizes.map((size, rank) => {
    const begin = sizes.slice(0, rank).reduce((a, b) => a + b, 0);
    const part = k.slice(k.fromArray(images.data, images.shape), [0, begin, 0], [V, size, P]);
    const task: RankTask = {
      rank,
      processes: sizes.length,
      memory,
      batch: { images: part, weights, directions: slices },
      objectives: Object.values(objectives),
    };
    return new Worker(rankModule, {
      eval: true,
      execArgv: ["--input-type=module"],
      workerData: task,
    });
  });
  const messages = await Promise.all(workers.map((worker) => once(worker, "message")));
  return messages.map(([computed]) => computed as Computed[]);
}

const expectClose = (got: ArrayLike<number>, expected: ArrayLike<number>) => {
  expect(got).toHaveLength(expected.length);
  Array.from(got).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 11));
};

describe.each([
  [[6, 6]],
  [[4, 4, 4]],
  [[2, 2, 2, 2, 2, 2, 2, 2]],
  [[1, 9]],
  [[5, 2, 8]],
  [[1, 2, 3, 4, 1, 2, 3, 1]],
])("a batch shared out as %o", (sizes) => {
  test("has the loss of the whole on every process, and its gradient averaged over them", async () => {
    const total = sizes.reduce((a, b) => a + b);
    const images = normal("images", [V, total, P]);
    const ranks = await onRanks(images, sizes);
    Object.entries(objectives).forEach(([name, objective], i) => {
      const whole = compute(k, { images, weights, directions: slices }, objective);
      ranks.forEach((computed) => expect(computed[i]!.value, name).toBeCloseTo(whole.value, 12));
      const averaged = Array.from(whole.ofWeights, (_, p) =>
        ranks.reduce((sum, computed) => sum + computed[i]!.ofWeights[p]! / sizes.length, 0),
      );
      expectClose(averaged, whole.ofWeights);
      // The gradient of a process with respect to its own samples is that of the whole batch times K, which the
      // average over processes takes out again.
      const whereIts = (rank: number) =>
        k.slice(
          k.fromArray(whole.ofImages, [V, total, P]),
          [0, sizes.slice(0, rank).reduce((a, b) => a + b, 0), 0],
          [V, sizes[rank]!, P],
        );
      ranks.forEach((computed, rank) =>
        expectClose(computed[i]!.ofImages, k.mul(whereIts(rank), sizes.length).data),
      );
    });
  });
});

describe("on one process", () => {
  const images = normal("images", [V, 12, P]);
  const batch = { images, weights, directions: slices };
  const unsaid: typeof k = {
    ...k,
    name: "alone",
    capabilities: [...k.capabilities, "allReduceMean"],
    allReduceMean: (x) => k.reshape(x, x.shape),
  };
  const alone: typeof k = { ...unsaid, processes: 1 };
  const options = Object.entries(objectives);

  test.each(options)("%s is what it is without the exchange", (_name, objective) => {
    const [got, expected] = [compute(alone, batch, objective), compute(k, batch, objective)];
    expect(got.value).toBeCloseTo(expected.value, 12);
    expectClose(got.ofWeights, expected.ofWeights);
  });

  test.each(options)("%s of half the batch is not that of the whole", (_name, objective) => {
    const half = k.slice(k.fromArray(images.data, images.shape), [0, 0, 0], [V, 6, P]);
    const part = compute(k, { ...batch, images: half }, objective);
    expect(Math.abs(part.value / compute(k, batch, objective).value - 1)).toBeGreaterThan(0.01);
  });

  test("the clip value leaves some statistics out and others in", () => {
    const z = k.matMul(
      k.fromArray(images.data, images.shape),
      k.fromArray(weights.data, weights.shape),
    );
    const a = k.fromArray(slices.data, slices.shape);
    const each = [...sigreg(k, z, a, { reduction: "none", clip: 4 }).data];
    expect([each.some((value) => value === 0), each.some((value) => value > 0)]).toEqual([
      true,
      true,
    ]);
  });

  const z = k.fromArray(images.data, images.shape);
  const a = k.fill([P, M], 1);
  const code = (call: () => unknown) => {
    try {
      call();
    } catch (error) {
      return (error as { code: unknown }).code;
    }
    return "returned";
  };

  test("the exact rule is refused where samples may lie elsewhere", () => {
    expect(code(() => lejepaLoss(alone, z, a, { rule: "exact" }))).toBe("unsupported");
  });

  test("an adapter that does not say how many processes there are is refused", () => {
    expect(code(() => lejepaLoss(unsaid, z, a))).toBe("unsupported");
    expect(code(() => sigreg({ ...alone, processes: 0 }, z, a))).toBe("unsupported");
  });
});
