import { mnistViews } from "@lejepa/data";
import type { TrainConfig } from "../config.js";
import { methodDefaults } from "./method-defaults.js";

/** MNIST, 60,000 images without labels.
 *    lejepa train mnist --probe
 *  1,020 steps of 64 images in 4 views. On the 10,000 test images, seeds 0 to 2: linear probe 98.99 to 99.05 %, kNN
 *  98.82 to 98.95 % (untrained: 89.4 to 90.3 % and 93.3 to 94.1 %).
 *  Found by a search over 46 runs that looked at validation splits of the train set only; what mattered most were
 *  elastic and thickness views, flatten instead of mean pooling, and more, smaller steps. */
export const mnistPreset: Omit<TrainConfig, "source"> = {
  ...methodDefaults,
  encoder: "conv_mnist",
  imageSize: 28,
  channels: 1,
  projector: { hidden: [256], outputDim: 16 },
  steps: 1020,
  batchSize: 64,
  views: 4,
  augmentation: mnistViews().transforms,
  learningRate: 5e-3,
};
