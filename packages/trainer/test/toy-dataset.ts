import { arrayDataset, type Dataset } from "@lejepa/data";
import type { TrainConfigInput } from "@lejepa/trainer";

/** Three kinds of stripes, 8 x 8, no two images alike. `brokenItem` has NaN pixels. */
export function stripes(length = 40, brokenItem?: number): Dataset {
  const images = Float32Array.from({ length: length * 64 }, (_, i) => {
    const [item, pixel] = [i >> 6, i & 63];
    if (item === brokenItem) return Number.NaN;
    const along = [pixel & 7, pixel >> 3, (pixel & 7) + (pixel >> 3)][item % 3]!;
    return 0.5 + 0.4 * Math.sin(along * 1.3 + item) + 0.1 * Math.sin(pixel * (item + 1));
  });
  return arrayDataset({
    name: "stripes",
    images,
    shape: [length, 8, 8, 1],
    labels: Array.from({ length }, (_, item) => item % 3),
    classes: ["columns", "rows", "diagonals"],
  });
}

/** A run of seconds. */
export const tiny: TrainConfigInput = {
  source: "stripes",
  preset: "mnist",
  imageSize: 8,
  projector: { hidden: [8], outputDim: 4 },
  steps: 12,
  batchSize: 8,
  views: 2,
  slices: 16,
  warmupSteps: 3,
  workers: 0,
  checkpointEvery: 5,
  engine: "eager",
};
