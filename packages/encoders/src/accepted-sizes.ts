/** The heights and widths of images that an encoder takes. */
export interface AcceptedSizes {
  /** Whether these are among them. */
  readonly accepts: (height: number, width: number) => boolean;
  /** All of them, as the shape of a batch for messages. */
  readonly shape: (channels: number) => string;
}

/** One size, square. */
export const onlySize = (size: number): AcceptedSizes => ({
  accepts: (height, width) => height === size && width === size,
  shape: (channels) => `[N, ${size}, ${size}, ${channels}]`,
});

/** Every size from `least` pixels on, each way. */
export const sizesFrom = (least: number): AcceptedSizes => ({
  accepts: (...sides) => sides.every((side) => Number.isSafeInteger(side) && side >= least),
  shape: (channels) => `[N, H >= ${least}, W >= ${least}, ${channels}]`,
});

/** Every multiple of the patch, each way, and the size that the encoder was made with. */
export const wholePatches = (patch: number, own: number): AcceptedSizes => ({
  accepts: (...sides) =>
    sides.every((side) => side === own) ||
    sides.every((side) => Number.isSafeInteger(side) && side >= patch && side % patch === 0),
  shape: (channels) =>
    own % patch === 0
      ? `[N, H, W, ${channels}] with H and W multiples of ${patch}`
      : `[N, ${own}, ${own}, ${channels}], or H and W multiples of ${patch}`,
});
