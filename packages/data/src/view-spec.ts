import { checkFields, checkValue, recordOf } from "./check-fields.js";
import { LejepaError } from "./error.js";
import { anything, oneOf, wholeNumber, type Field } from "./fields.js";
import { suggestName } from "./nearest-name.js";
import { said } from "./said.js";
import {
  transformOf,
  transforms,
  type TransformName,
  type TransformSpec,
} from "./transforms/table.js";

/** How views of one size are made of an image. Plain data: it goes to worker threads and into config files
 *  as it is. */
export interface ViewGroup {
  /** Views of each image in this group, V; >= 1. */
  readonly count: number;
  /** Height and width of a view; without it, those of the image. random-resized-crop, center-crop and resize bring the
   *  image to this size; without one of them, the image is stretched to it first, bilinearly. */
  readonly size?: readonly [height: number, width: number];
  /** Applied in this order; bytes have become floats 0..1 before, or within a leading transform that samples them (resize,
   *  center-crop, random-resized-crop with antialias), which gives bytes. Neighbouring geometric transforms
   *  (random-resized-crop without antialias, horizontal-flip, affine, elastic) cost one bilinear resampling together,
   *  with zeros outside the image. */
  readonly transforms: readonly TransformSpec[];
  /** What a loader gives: "floats" (default), or "bytes", a quarter of the memory, with the normalisation for later. The
   *  values before it are then brought to 256 levels of 0..1, each at most half a level, 1/510, off, and limited to these;
   *  those of bytes that were only sampled with antialias, cut out or mirrored stay exactly what they are. `normalise` may
   *  only be the last transform. */
  readonly values?: "floats" | "bytes";
}

/** A single group of views. */
export type ViewSpec = ViewGroup;

/** Groups of views, which may differ in size: global and local crops, say. */
export type ViewGroups = readonly [ViewGroup, ...ViewGroup[]];

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
 *  of the same size and normalisation, antialiased if those were.
 *  @param trained the views it was trained on: the normalisation of others would be wrong without a word
 *  Throws `invalid-views` and `unknown-transform` like `checkViewSpec`. */
export function plainView(trained: ViewSpec): ViewSpec {
  const { size, transforms } = checkViewSpec(trained);
  const plain = transforms.flatMap(plainTransform);
  const last = plain.findLastIndex((spec) => resizesTo(spec) === "to-output-size");
  return {
    count: 1,
    ...(size && { size }),
    // A resize to a size of its own led to a random crop that is left out.
    transforms: plain.filter((spec, at) => at <= last || resizesTo(spec) !== "to-own-size"),
  };
}

/** A transform without what is random in it; none where nothing is left. */
function plainTransform(spec: TransformSpec): TransformSpec[] {
  if (["normalise", "resize", "center-crop"].includes(spec.name)) return [spec];
  if (spec.name !== "random-resized-crop" || (spec.antialias ?? false) === false) return [];
  const { antialias } = spec;
  return [{ name: "resize", ...(typeof antialias === "string" && { filter: antialias }) }];
}

const side = wholeNumber("required", { min: 1, max: 65_536 });

const viewFields: Readonly<Record<keyof ViewGroup, Field>> = {
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
  values: oneOf("optional", ["floats", "bytes"]),
};

/** The value as a view specification, if it is one: reads config files. Throws `unknown-transform`,
 *  with the nearest known name, and `invalid-views`, with the path of the value that is wrong and
 *  what it must be. */
export function checkViewSpec(value: unknown): ViewSpec {
  return checkGroup(value, "views");
}

/** The groups that a value is, itself being one or a list of them. Throws as {@link checkViewSpec}. */
export function checkViewGroups(value: unknown): ViewGroups {
  if (!Array.isArray(value)) return [checkGroup(value, "views")];
  if (value.length === 0)
    throw new LejepaError(
      "invalid-views",
      "views: the list is empty. Give at least one group of views.",
    );
  // Spread, as `map` passes over what is missing from a list.
  const groups = [...(value as unknown[])].map((each, at) => checkGroup(each, `views[${at}]`));
  return groups as [ViewGroup, ...ViewGroup[]];
}

function checkGroup(value: unknown, where: string): ViewGroup {
  const group = recordOf(value, where, "invalid-views");
  checkFields(group, viewFields, where, "invalid-views");
  checkTransforms(group as unknown as ViewGroup, where);
  return value as ViewGroup;
}

/** The same for the parts of a specification that make one view; the number of views may be there. */
export function checkOneView(value: unknown): void {
  const spec = recordOf(value, "views", "invalid-views");
  checkFields(spec, { ...viewFields, count: anything("optional") }, "views", "invalid-views");
  checkTransforms(spec as unknown as OneView, "views");
}

type OneView = Pick<ViewGroup, "size" | "transforms" | "values">;

function checkTransforms({ size, transforms: list, values }: OneView, group: string): void {
  const where = (position: number): string => `${group}.transforms[${position}]`;
  // By index, as what is missing from a list is passed over by other ways.
  for (let position = 0; position < list.length; position++)
    checkTransform(list[position], where(position));
  // A batch holds views of one size.
  const sizes = list.map((spec) => resizesTo(spec));
  const own = sizes.lastIndexOf("to-own-size");
  if (own >= 0 && (size === undefined || sizes.lastIndexOf("to-output-size") < own))
    throw new LejepaError(
      "invalid-views",
      `${where(own)} (${list[own]!.name}): it leaves images of several sizes. Set ${group}.size, and bring them to it by a transform after this one, such as center-crop.`,
    );
  const normalised = list.findIndex(({ name }) => name === "normalise");
  if (values === "bytes" && normalised >= 0 && normalised < list.length - 1)
    throw new LejepaError(
      "invalid-views",
      `${where(normalised)} (normalise): it must come last where values is "bytes", as bytes are what is there before it. Move it, or leave values out.`,
    );
}

function resizesTo(spec: TransformSpec): "none" | "to-output-size" | "to-own-size" {
  const transform = transformOf(spec);
  if (transform.kind === "photometric") return "none";
  return transform.kind === "sampling" ? transform.resizes(spec) : transform.resizes;
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
