import { checkFields, recordOf } from "./check-fields.js";
import { LejepaError } from "./error.js";
import { anything, listOf, number, wholeNumber, type Field } from "./fields.js";
import { toFloats } from "./image.js";
import { normaliseImage } from "./transforms/normalise.js";

/** One number for all channels, or one for each. */
export interface Normalisation {
  /** Mean of the values, which are 0..1. */
  readonly mean: readonly number[];
  /** Their standard deviation. */
  readonly std: readonly number[];
}

/** The views of one group of all samples of a batch. */
export interface BatchGroup {
  /** Views of each sample in this group, V. */
  readonly views: number;
  /** [V*N, H, W, C]. */
  readonly shape: readonly [number, number, number, number];
  /** The images, view-major: view v of sample n is image v*N + n. Yours to keep or to change. Bytes 0..255 where the group
   *  asked for them: see {@link floatImages}. */
  readonly images: Float32Array | Uint8Array;
  /** What is still to be done to bytes; undefined with floats, and where views are not normalised. */
  readonly normalise: Normalisation | undefined;
}

const groupFields: Readonly<Record<keyof BatchGroup, Field>> = {
  views: anything("optional"),
  shape: listOf("required", wholeNumber("required", { min: 1 }), 4),
  images: {
    presence: "required",
    expected: "a Float32Array or a Uint8Array",
    accepts: (value) => value instanceof Float32Array || value instanceof Uint8Array,
  },
  normalise: anything("optional"),
};
const normaliseFields: Readonly<Record<keyof Normalisation, Field>> = {
  mean: listOf("required", number("required", { min: -1e6, max: 1e6 })),
  std: listOf("required", number("required", { min: 1e-6, max: 1e6 })),
};

/** The images of a group as floats, [V*N, H, W, C]: themselves, or of bytes (byte / 255 - mean) / std in new memory.
 *  Throws `invalid-option` for what is no group, `invalid-views` for a normalisation of other channels. */
export function floatImages(
  group: Pick<BatchGroup, "images" | "shape" | "normalise">,
): Float32Array {
  const given = recordOf(group, "floatImages: group", "invalid-option");
  checkFields(given, groupFields, "floatImages: group", "invalid-option");
  const { images, shape, normalise } = group;
  const [count, height, width, channels] = shape;
  if (images.length !== count * height * width * channels)
    throw new LejepaError(
      "invalid-option",
      `floatImages: ${images.length} values cannot have shape [${shape.join(", ")}]. Pass a group as a loader gives it.`,
    );
  if (normalise !== undefined) {
    const record = recordOf(normalise, "floatImages: group.normalise", "invalid-option");
    checkFields(record, normaliseFields, "floatImages: group.normalise", "invalid-option");
  }
  if (images instanceof Float32Array) return images;
  const data = new Float32Array(images.length);
  toFloats(images, data);
  if (normalise !== undefined)
    normaliseImage(
      { height: count * height, width, channels, data },
      normalise.mean,
      normalise.std,
    );
  return data;
}
