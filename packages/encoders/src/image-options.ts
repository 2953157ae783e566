import { badShape, LejepaError } from "@lejepa/ops";

/** Which images an encoder takes. */
export interface ImageOptions {
  /** Height and width in pixels. */
  readonly imageSize?: number;
  /** Channels: 1 for grey, 3 for colour. */
  readonly channels?: number;
}

/** Throws LejepaError "bad-encoder-option" unless every value is a whole number of 1 or more. */
export function requireWholeNumbers(owner: string, values: Readonly<Record<string, number>>): void {
  for (const [option, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new LejepaError(
        "bad-encoder-option",
        `${owner}: ${option} should be a whole number of 1 or more, got ${value}.`,
      );
    }
  }
}

/** Throws LejepaError "bad-shape" unless images are [N, size, size, channels]. */
export function requireImages(
  owner: string,
  shape: readonly number[],
  size: number,
  channels: number,
): void {
  if (shape.length !== 4 || shape[1] !== size || shape[2] !== size || shape[3] !== channels) {
    throw badShape({
      op: owner,
      argument: "images",
      expected: `[N, ${size}, ${size}, ${channels}]`,
      got: shape,
      fix: "Create the encoder with the imageSize and channels of the images.",
    });
  }
}
