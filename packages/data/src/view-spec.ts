import { checkFields, checkValue, recordOf } from "./check-fields.js";
import { LejepaError } from "./error.js";
import { anything, wholeNumber, type Field } from "./fields.js";
import { suggestName } from "./nearest-name.js";
import { said } from "./said.js";
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
 *  @param count views of each image
 *  Throws `invalid-views` unless count is a whole number of at least 1. */
export function mnistViews(count = 4): ViewSpec {
  checkValue(count, viewFields.count, "views.count", "invalid-views");
  return { count, transforms: mnistTransforms() };
}

const mnistTransforms = (): ViewSpec["transforms"] => [
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
];

/** One view without anything random, for probes: an encoder trained on the given views sees images
 *  of the same size and normalisation.
 *  @param trained the views it was trained on: the normalisation of others would be wrong without a word
 *  Throws `invalid-views` and `unknown-transform` like `checkViewSpec`. */
export function plainView(trained: ViewSpec): ViewSpec {
  const { size, transforms } = checkViewSpec(trained);
  return {
    count: 1,
    ...(size && { size }),
    transforms: transforms.filter(({ name }) => name === "normalise"),
  };
}

const side = wholeNumber("required", { min: 1, max: 65_536 });

const viewFields: Readonly<Record<keyof ViewSpec, Field>> = {
  count: wholeNumber("required", { min: 1 }),
  size: {
    presence: "optional",
    expected: `a pair [height, width], each ${side.expected}`,
    accepts: (value) =>
      Array.isArray(value) && value.length === 2 && [...(value as unknown[])].every(side.accepts),
  },
  transforms: {
    presence: "required",
    expected: "a list of transforms",
    accepts: (value) => Array.isArray(value),
  },
};

/** The value as a view specification, if it is one: reads config files. Throws `unknown-transform`,
 *  with the nearest known name, and `invalid-views`, with the path of the value that is wrong and
 *  what it must be. */
export function checkViewSpec(value: unknown): ViewSpec {
  const spec = recordOf(value, "views", "invalid-views");
  checkFields(spec, viewFields, "views", "invalid-views");
  checkTransforms(spec.transforms as unknown[]);
  return value as ViewSpec;
}

/** The same for the parts of a specification that make one view; the number of views may be there. */
export function checkOneView(value: unknown): void {
  const spec = recordOf(value, "views", "invalid-views");
  checkFields(spec, { ...viewFields, count: anything("optional") }, "views", "invalid-views");
  checkTransforms(spec.transforms as unknown[]);
}

function checkTransforms(list: readonly unknown[]): void {
  // By index, as what is missing from a list is passed over by other ways.
  for (let position = 0; position < list.length; position++)
    checkTransform(list[position], `views.transforms[${position}]`);
}

function checkTransform(value: unknown, where: string): void {
  const spec = recordOf(value, where, "invalid-views");
  const names = Object.keys(transforms);
  const { name } = spec;
  if (typeof name !== "string" || !names.includes(name))
    throw new LejepaError(
      "unknown-transform",
      `${where}: there is no transform ${said(name)}. ${suggestName(typeof name === "string" ? name : "", names)}`,
    );
  const { fields } = transforms[name as TransformName];
  checkFields(spec, { name: anything("required"), ...fields }, where, "invalid-views", name);
}
