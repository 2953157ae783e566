import { LejepaError } from "./error.js";
import type { Field } from "./fields.js";
import { suggestName } from "./nearest-name.js";
import { transforms, type TransformName, type TransformSpec } from "./transforms/table.js";

/** How the views of an image are made. Plain data: it goes to worker threads and into config files
 *  as it is. */
export interface ViewSpec {
  /** Views of each image, V; >= 1. */
  readonly count: number;
  /** Height and width of a view; without it, those of the image. The first random-resized-crop
   *  brings the image to this size; without one, the image is stretched to it first. */
  readonly size?: readonly [height: number, width: number];
  /** Applied in this order; bytes have become floats 0..1 before. Neighbouring geometric transforms
   *  (random-resized-crop, horizontal-flip, affine, elastic) cost one bilinear resampling together,
   *  with zeros outside the image. */
  readonly transforms: readonly TransformSpec[];
}

/** The augmentation of the MNIST recipe: affine and elastic in one resampling, stroke thickness,
 *  brightness, normalisation. Lengths are fractions of the side: 2.5/28 is 2.5 pixels of MNIST.
 *  @param count views of each image */
export const mnistViews = (count = 4): ViewSpec => ({
  count,
  transforms: [
    {
      name: "affine",
      degrees: (0.3 * 180) / Math.PI,
      scale: [1 / 1.25, 1 / 0.85], // a window of 0.85 to 1.25 sides
      aspect: [Math.exp(-0.14), Math.exp(0.14)],
      shear: 0.25,
      shift: 2.5 / 28,
    },
    { name: "elastic", sigma: 1 / 28, grid: 4 },
    { name: "stroke-thickness", amount: [-0.6, 0.6] },
    { name: "brightness-contrast", brightness: 0.2, overflow: "keep" },
    { name: "normalise", mean: 0.13, std: 0.31 },
  ],
});

/** One view without anything random, for probes: an encoder trained on the given views sees images
 *  of the same size and normalisation.
 *  @param trained the views it was trained on */
export const plainView = (trained: ViewSpec = mnistViews()): ViewSpec => ({
  count: 1,
  ...(trained.size && { size: trained.size }),
  transforms: trained.transforms.filter(({ name }) => name === "normalise"),
});

/** The value as a view specification, if it is one: reads config files. Throws `unknown-transform`,
 *  with the nearest known name, and `invalid-views`, with the path of the value that is wrong and
 *  what it must be. */
export function checkViewSpec(value: unknown): ViewSpec {
  const spec = record(value, "views");
  knownKeys(spec, ["count", "size", "transforms"], "views");
  const { count, size } = spec;
  if (!isCount(count)) throw wrong("views.count", count, "a whole number of at least 1");
  if (size !== undefined && !(Array.isArray(size) && size.length === 2 && size.every(isCount)))
    throw wrong("views.size", size, "a pair [height, width] of whole numbers of at least 1");
  if (!Array.isArray(spec.transforms))
    throw wrong("views.transforms", spec.transforms, "a list of transforms");
  (spec.transforms as unknown[]).forEach(checkTransform);
  return value as ViewSpec;
}

function checkTransform(value: unknown, position: number): void {
  const where = `views.transforms[${position}]`;
  const spec = record(value, where);
  const names = Object.keys(transforms);
  const { name } = spec;
  if (typeof name !== "string" || !names.includes(name))
    throw new LejepaError(
      "unknown-transform",
      `${where}: there is no transform "${String(name)}". ${suggestName(String(name), names)}`,
    );
  const fields: Readonly<Record<string, Field>> = transforms[name as TransformName].fields;
  knownKeys(spec, ["name", ...Object.keys(fields)], `${where} (${name})`);
  for (const [key, field] of Object.entries(fields)) {
    const isLeftOut = spec[key] === undefined && field.presence === "optional";
    if (!isLeftOut && !field.accepts(spec[key]))
      throw wrong(`${where}.${key} (${name})`, spec[key], field.expected);
  }
}

const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 1;

function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(where, value, "an object");
  return value as Readonly<Record<string, unknown>>;
}

function knownKeys(value: object, keys: readonly string[], where: string): void {
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined)
    throw new LejepaError(
      "invalid-views",
      `${where}: there is no option "${unknown}". ${suggestName(unknown, keys)}`,
    );
}

const wrong = (where: string, value: unknown, expected: string): LejepaError =>
  new LejepaError(
    "invalid-views",
    `${where}: must be ${expected}, got ${JSON.stringify(value) ?? "nothing"}. Correct it.`,
  );
