/** A window of random area and aspect ratio, stretched to the size of the view. The window is drawn
 *  as torchvision's RandomResizedCrop draws it. With antialiasing it is sampled as there, too; without, values are taken
 *  bilinearly, so that the crop can be composed with other geometric transforms. */
import type { CoordinateMap } from "../coordinate-map.js";
import { interval, type Field, type Interval } from "../fields.js";
import { filterNames, type FilterName } from "../filtered-sampling.js";
import type { Size } from "../image.js";
import { logUniform, uniform, type Random } from "../random.js";
import { roundHalfToEven } from "../round-half-to-even.js";
import type { Window } from "../window.js";
import type { EitherTransform, GeometricTransform, SamplingTransform } from "./transform.js";

/** Takes a random window and stretches it to the size of the view. */
export interface RandomResizedCropSpec {
  /** Which transform. */
  readonly name: "random-resized-crop";
  /** Area of the window as a fraction of the image, uniform; [0.08, 1] by default. */
  readonly scale?: Interval;
  /** Width / height of the window, log-uniform; [3/4, 4/3] by default. */
  readonly ratio?: Interval;
  /** true, or the name of a filter: as torchvision, so that where the window shrinks every pixel of it counts; true is
   *  "bilinear". false by default: each value is taken between the four nearest pixels, in one resampling with
   *  neighbouring geometric transforms. */
  readonly antialias?: boolean | FilterName;
}

const defaultScale: Interval = [0.08, 1];
const defaultRatio: Interval = [3 / 4, 4 / 3];

/** Draws a window: up to ten tries of area and ratio until it fits in the image, then its place;
 *  if none fits, the middle of the image with the nearest allowed ratio. */
export function drawWindow(
  random: Random,
  { height: H, width: W }: Size,
  scale: Interval,
  ratio: Interval,
): Window {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = H * W * uniform(random, scale);
    const aspect = logUniform(random, ratio);
    const width = roundHalfToEven(Math.sqrt(area * aspect));
    const height = roundHalfToEven(Math.sqrt(area / aspect));
    if (width > 0 && width <= W && height > 0 && height <= H) {
      const top = Math.floor(random() * (H - height + 1));
      const left = Math.floor(random() * (W - width + 1));
      return { top, left, height, width };
    }
  }
  let width = W;
  let height = H;
  if (W / H < ratio[0]) height = roundHalfToEven(W / ratio[0]);
  else if (W / H > ratio[1]) width = roundHalfToEven(H * ratio[1]);
  return { top: (H - height) >> 1, left: (W - width) >> 1, height, width };
}

/** How large an image must be so that every window of it is at least as large as the output. Of an area A the smallest
 *  window is sqrt(A scale ratio) wide for the least ratio, and sqrt(A scale / ratio) high for the greatest; the middle
 *  of an image that no window fits in has a whole side. */
function sideFor({ height, width }: Size, scale: Interval, ratio: Interval): Size {
  const area = Math.max(width ** 2 / ratio[0], height ** 2 * ratio[1]) / scale[0];
  const side = Math.sqrt(area);
  return {
    height: Math.max(side, height, width / ratio[1]),
    width: Math.max(side, width, height * ratio[0]),
  };
}

/** Stretches a window over an image of the output size. Nothing outside the window is seen: up to
 *  its edge the outermost pixels are continued, beyond it is nothing. */
export const cropMap =
  ({ top, left, height, width }: Window, output: Size): CoordinateMap =>
  (points) => {
    points.grid = undefined;
    mapAxis(points.x, left, width, width / output.width);
    mapAxis(points.y, top, height, height / output.height);
  };

function mapAxis(positions: Float64Array, first: number, side: number, scale: number): void {
  for (let i = 0; i < positions.length; i++)
    positions[i] = first + insideEdge((positions[i]! + 0.5) * scale - 0.5, side);
}

/** The nearest point between the first and last pixel centre, or NaN for a point off the pixels. */
function insideEdge(position: number, side: number): number {
  if (!(position >= -0.5 && position <= side - 0.5)) return NaN;
  return position < 0 ? 0 : position > side - 1 ? side - 1 : position;
}

const needs = (
  { scale = defaultScale, ratio = defaultRatio }: RandomResizedCropSpec,
  output: Size,
): Size => sideFor(output, scale, ratio);

/** The window that is drawn, composed with its neighbours. */
const bilinear: Omit<GeometricTransform<RandomResizedCropSpec>, "fields"> = {
  kind: "geometric",
  resizes: "to-output-size",
  needs,
  prepare:
    ({ scale = defaultScale, ratio = defaultRatio }) =>
    (random, input, output) =>
      cropMap(drawWindow(random, input, scale, ratio), output),
};

/** The same window, sampled. */
const antialiased: Omit<SamplingTransform<RandomResizedCropSpec>, "fields"> = {
  kind: "sampling",
  resizes: () => "to-output-size",
  needs,
  prepare:
    ({ scale = defaultScale, ratio = defaultRatio, antialias }) =>
    (random, input, output) => ({
      window: drawWindow(random, input, scale, ratio),
      size: output,
      filter: typeof antialias === "string" ? antialias : "bilinear",
    }),
};

const antialias: Field = {
  presence: "optional",
  expected: `true, false or one of ${filterNames.map((name) => `"${name}"`).join(", ")}`,
  accepts: (value) => typeof value === "boolean" || filterNames.includes(value as FilterName),
};

const fields = {
  scale: interval("optional", { min: 1e-6, max: 1 }),
  ratio: interval("optional", { min: 1e-3, max: 1e3 }),
  antialias,
};

/** Draws: two uniforms for each try, then two. It is the only transform that draws a varying number
 *  of times, as its model does. */
export const randomResizedCrop: EitherTransform<RandomResizedCropSpec> = {
  kind: "either",
  fields,
  choose: (spec) => ({ ...((spec.antialias ?? false) ? antialiased : bilinear), fields }),
};
