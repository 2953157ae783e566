import { LejepaError } from "../error.js";
import { perChannel } from "../fields.js";
import type { FloatImage } from "../image.js";
import type { PhotometricTransform } from "./transform.js";

/** Brings the values of the data set to about mean 0 and deviation 1: (x - mean) / std. */
export interface NormaliseSpec {
  /** Which transform. */
  readonly name: "normalise";
  /** Mean of the values (0..1), of all channels or of each. */
  readonly mean: number | readonly number[];
  /** Standard deviation, likewise; > 0. */
  readonly std: number | readonly number[];
}

/** (x - mean) / std in place. Throws `invalid-views` when means or deviations are given for another
 *  number of channels. */
export function normaliseImage(
  { channels, data }: FloatImage,
  mean: readonly number[],
  std: readonly number[],
): void {
  for (const given of [mean, std])
    if (given.length !== 1 && given.length !== channels)
      throw new LejepaError(
        "invalid-views",
        `normalise: ${given.length} values for an image of ${channels} channel${channels === 1 ? "" : "s"}. Give one number, or one for each channel.`,
      );
  for (let c = 0; c < channels; c++) {
    const centre = mean.length === 1 ? mean[0]! : mean[c]!;
    const spread = std.length === 1 ? std[0]! : std[c]!;
    for (let i = c; i < data.length; i += channels) data[i] = (data[i]! - centre) / spread;
  }
}

/** As a list of one number, or of one for each channel. */
export const perChannelList = (value: number | readonly number[]): readonly number[] =>
  typeof value === "number" ? [value] : value;

/** Draws nothing. */
export const normalise: PhotometricTransform<NormaliseSpec> = {
  kind: "photometric",
  fields: {
    mean: perChannel("required", { min: -1e6, max: 1e6 }),
    std: perChannel("required", { min: 1e-6, max: 1e6 }),
  },
  prepare: (spec) => {
    const mean = perChannelList(spec.mean);
    const std = perChannelList(spec.std);
    return (_random, image) => normaliseImage(image, mean, std);
  },
};
