import type { Dataset } from "./dataset.js";
import { LejepaError } from "./error.js";

/** Images and labels as they lie in memory. */
export interface ArrayDatasetOptions {
  /** Used in messages. */
  readonly name: string;
  /** All pixels, row-major [N, H, W, C]: bytes 0..255 or floats 0..1. */
  readonly images: Uint8Array | Float32Array;
  /** [N, H, W, C]; C is 1 or 3. */
  readonly shape: readonly [number, number, number, number];
  /** N classes, integers >= 0. */
  readonly labels?: ArrayLike<number>;
  /** Names of the classes. */
  readonly classes?: readonly string[];
}

/** A dataset of equally large images in memory. The pixels are kept in a SharedArrayBuffer (copied
 *  into one unless they are in one), so that all worker threads read the same memory.
 *  Throws `invalid-option` when the shape and the number of values differ, and `label-count` when
 *  there are not as many labels as images. */
export function arrayDataset(options: ArrayDatasetOptions): Dataset {
  const { name, shape, labels, classes } = options;
  const [length, height, width, channels] = shape;
  const size = height * width * channels;
  if (shape.some((side) => !Number.isInteger(side) || side < 1) || ![1, 3].includes(channels))
    throw new LejepaError(
      "invalid-option",
      `dataset "${name}": shape is [${shape.join(", ")}]. Give [images, height, width, channels] with 1 or 3 channels.`,
    );
  if (options.images.length !== length * size)
    throw new LejepaError(
      "invalid-option",
      `dataset "${name}": ${options.images.length} values cannot have shape [${shape.join(", ")}]. Give ${length * size} values or another shape.`,
    );
  if (labels !== undefined && labels.length !== length)
    throw new LejepaError(
      "label-count",
      `dataset "${name}": ${length} images but ${labels.length} labels. Give one label for each image.`,
    );
  const images = shared(options.images);
  return {
    name,
    length,
    ...(classes && { classes }),
    inMemory: true,
    reopen: {
      // The package's entry keeps its name in a build, where this module is part of another file.
      module: new URL(
        import.meta.url.endsWith(".ts") ? "./index.ts" : "./index.js",
        import.meta.url,
      ).href,
      export: "arrayDataset",
      options: { ...options, images },
    },
    item(index) {
      if (!(Number.isInteger(index) && index >= 0 && index < length))
        throw new RangeError(`there is no item ${index}: items are 0 to ${length - 1}`);
      const data = images.subarray(index * size, (index + 1) * size);
      const image = { height, width, channels, data };
      return labels === undefined ? { image } : { image, label: labels[index]! };
    },
  };
}

function shared<A extends Uint8Array | Float32Array>(values: A): A {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const buffer = new SharedArrayBuffer(values.byteLength);
  const copy = values instanceof Uint8Array ? new Uint8Array(buffer) : new Float32Array(buffer);
  copy.set(values);
  return copy as A;
}
