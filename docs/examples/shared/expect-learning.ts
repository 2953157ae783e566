/** What the test of every example asks for, besides the value and gradient of its objective. */
import { createLoader, floatImages, mnist, mnistViews } from "@lejepa/data";
import { directions, lejepaLoss } from "@lejepa/sigreg";
import { float64Adapter } from "@lejepa/tensor/float64";
import { expect } from "vitest";
import { recipe, runOnMnist, type CreateModel, type Losses } from "./mnist-run.js";

const { views, batchSize, pixels, dim, slices, rows } = recipe;

/** Some steps on a thousand images: the loss falls, and neighbours become more alike. */
export async function expectLearning(create: CreateModel): Promise<void> {
  const seen: Losses[] = [];
  const { untrained, trained, removed } = await runOnMnist(create, {
    seed: 0,
    steps: 25,
    trainImages: 1000,
    testImages: 500,
    onStep: (_, losses) => seen.push(losses),
  });
  expect(seen).toHaveLength(25);
  for (const { loss, prediction, sigreg } of seen)
    expect(loss).toBeCloseTo(0.95 * prediction + 0.05 * sigreg, 5);
  const last = seen.slice(-5).reduce((sum, { loss }) => sum + loss / 5, 0);
  expect(last).toBeLessThan(0.7 * seen[0]!.loss);
  expect(trained).toBeLessThan(0.8 * untrained);
  expect(removed).toBeCloseTo(1 - trained / untrained, 10);
}

/** The views of an image are known for such, and an embedding is of one image alone. */
export async function expectRowsInPlace(create: CreateModel): Promise<void> {
  const loader = createLoader(await mnist({ split: "test" }), {
    batchSize,
    views: mnistViews(views),
    workers: 0,
    batches: 1,
  });
  const images = floatImages((await loader.next()).value!.groups[0]);
  await loader.close();
  const image = (row: number) => images.subarray(row * pixels, (row + 1) * pixels);
  const rowsFrom = (source: (row: number) => number): Float32Array => {
    const all = new Float32Array(rows * pixels);
    for (let row = 0; row < rows; row++) all.set(image(source(row)), row * pixels);
    return all;
  };

  const model = await create(0);
  try {
    const alike = await model.step(
      rowsFrom((row) => row % batchSize),
      0,
      1e-3,
    );
    expect(alike.prediction).toBeLessThan(1e-9);
    const mixed = await model.step(
      rowsFrom((row) => Math.floor(row / views)),
      1,
      1e-3,
    );
    expect(mixed.prediction).toBeGreaterThan(0.01);

    const all = await model.embed(images);
    const alone = new Float32Array(rows * pixels);
    alone.set(image(0));
    const one = (await model.embed(alone)).subarray(0, dim);
    one.forEach((value, d) => expect(value).toBeCloseTo(all[d]!, 5));
    expect([...all.subarray(0, dim)]).not.toEqual([...all.subarray(dim, 2 * dim)]);
  } finally {
    await model.dispose();
  }
}

/** Embeddings and directions of a training step, and the objective on them in double precision. */
export function referenceObjective() {
  const z = Float32Array.from({ length: rows * dim }, (_, i) => 1.5 * Math.sin(i * i) + 0.2);
  const slicing = directions(dim, slices, 0, 0);
  const adapter = float64Adapter();
  const a = adapter.fromArray(slicing, [dim, slices]);
  const { value, grads } = adapter.valueAndGrad(
    (x) => lejepaLoss(adapter, x, a).loss,
    [adapter.fromArray(z, [views, batchSize, dim])],
  );
  return { z, slicing, loss: adapter.readSync(value)[0]!, gradient: adapter.readSync(grads[0]!) };
}

/** Numbers agree to float32: differences are small against the largest. */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual).toHaveLength(expected.length);
  const largest = Array.from(expected).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  expect(largest).toBeGreaterThan(0);
  const worst = Array.from(expected).reduce(
    (most, x, i) => (Math.abs(x - actual[i]!) <= most ? most : Math.abs(x - actual[i]!)),
    0,
  );
  expect(worst).toBeLessThan(1e-4 * largest);
}
