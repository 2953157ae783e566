import { checkFields, recordOf } from "./check-fields.js";
import type { Dataset } from "./dataset.js";
import { LejepaError } from "./error.js";
import { anything, listOf, text, wholeNumber, type Field } from "./fields.js";
import { said } from "./said.js";

/** Images and labels as they lie in memory. */
export interface ArrayDatasetOptions {
  /** Used in messages. */
  readonly name: string;
  /** All pixels, row-major [N, H, W, C]: bytes 0..255 or floats 0..1. */
  readonly images: Uint8Array | Uint8ClampedArray | Float32Array;
  /** [N, H, W, C]; C is 1 or 3. */
  readonly shape: readonly [number, number, number, number];
  /** N classes, integers >= 0. */
  readonly labels?: ArrayLike<number>;
  /** Names of the classes. */
  readonly classes?: readonly string[];
}

const optionFields: Readonly<Record<keyof ArrayDatasetOptions, Field>> = {
  name: text("required"),
  images: {
    presence: "required",
    expected: "a Uint8Array of bytes 0..255 or a Float32Array of numbers 0..1",
    accepts: (value) =>
      value instanceof Uint8Array ||
      value instanceof Uint8ClampedArray ||
      value instanceof Float32Array,
  },
  shape: listOf("required", wholeNumber("required", { min: 1 }), 4),
  labels: anything("optional"),
  classes: listOf("optional", text("required")),
};

/** A dataset of equally large images in memory. The pixels are kept in a SharedArrayBuffer (copied
 *  into one unless they are in one), so that all worker threads read the same memory.
 *  Throws `invalid-option` for options of another kind and when the shape and the number of values differ, and
 *  `label-count` when there are not as many labels as images. */
export function arrayDataset(options: ArrayDatasetOptions): Dataset {
  checkFields(
    recordOf(options, "arrayDataset", "invalid-option"),
    optionFields,
    "arrayDataset",
    "invalid-option",
  );
  const { name, shape } = options;
  const [length, height, width, channels] = shape;
  const size = height * width * channels;
  if (![1, 3].includes(channels))
    throw new LejepaError(
      "invalid-option",
      `dataset "${name}": shape is [${shape.join(", ")}]. Give [images, height, width, channels] with 1 or 3 channels.`,
    );
  if (options.images.length !== length * size)
    throw new LejepaError(
      "invalid-option",
      `dataset "${name}": ${options.images.length} values cannot have shape [${shape.join(", ")}]. Give ${length * size} values or another shape.`,
    );
  const labels = options.labels === undefined ? undefined : labelsOf(name, options.labels, length);
  const classes = options.classes && [...options.classes];
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
      options: {
        name,
        images,
        shape: [...shape],
        ...(labels && { labels }),
        ...(classes && { classes }),
      },
    },
    item(index) {
      if (!(Number.isInteger(index) && index >= 0 && index < length))
        throw new LejepaError(
          "invalid-option",
          `dataset "${name}": there is no item ${said(index)}. Items are 0 to ${length - 1}.`,
        );
      const data = images.subarray(index * size, (index + 1) * size);
      const image = { height, width, channels, data };
      return labels === undefined ? { image } : { image, label: labels[index]! };
    },
  };
}

/** The pixels in shared memory; clamped bytes are bytes. */
function shared(values: Uint8Array | Uint8ClampedArray | Float32Array): Uint8Array | Float32Array {
  if (values.buffer instanceof SharedArrayBuffer && !(values instanceof Uint8ClampedArray))
    return values;
  const buffer = new SharedArrayBuffer(values.byteLength);
  const copy = values instanceof Float32Array ? new Float32Array(buffer) : new Uint8Array(buffer);
  copy.set(values);
  return copy;
}

/** The classes, checked, as what threads can be given. */
function labelsOf(name: string, given: unknown, length: number): Int32Array {
  const isList =
    Array.isArray(given) || (ArrayBuffer.isView(given) && !(given instanceof DataView));
  if (!isList)
    throw new LejepaError(
      "invalid-option",
      `dataset "${name}": labels must be an array of numbers, got ${said(given)}. Give one label for each image.`,
    );
  const labels = given as ArrayLike<unknown>;
  if (labels.length !== length)
    throw new LejepaError(
      "label-count",
      `dataset "${name}": ${length} images but ${labels.length} labels. Give one label for each image.`,
    );
  const shared = new Int32Array(new SharedArrayBuffer(4 * length));
  for (let n = 0; n < length; n++) {
    const label = labels[n];
    if (!(Number.isInteger(label) && (label as number) >= 0 && (label as number) < 2 ** 31))
      throw new LejepaError(
        "invalid-option",
        `dataset "${name}": the label of image ${n} is ${said(label)}. Use an integer >= 0, or leave labels out.`,
        { index: n },
      );
    shared[n] = label as number;
  }
  return shared;
}
