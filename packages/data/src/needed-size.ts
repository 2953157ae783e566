import type { Size } from "./image.js";
import { transformOf } from "./transforms/table.js";
import type { ViewGroup, ViewGroups } from "./view-spec.js";

/** How large an image must at least be so that no view magnifies a window of fewer pixels than the view has: what a
 *  reader may shrink a photograph to while it decodes it. In whole pixels. Undefined where a smaller image would be
 *  another view: where the views have the size of the image, or where a transform whose parameters are in pixels runs
 *  before the image is brought to a size.
 *  What rotations and displacements magnify is left out: a few pixels at corners. */
export function neededSize(views: ViewGroups): Size | undefined {
  const sizes = views.map(neededOf);
  if (sizes.includes(undefined)) return undefined;
  return {
    height: Math.max(...sizes.map((size) => size!.height)),
    width: Math.max(...sizes.map((size) => size!.width)),
  };
}

function neededOf({ size, transforms }: ViewGroup): Size | undefined {
  if (size === undefined) return undefined;
  let needed: Size = { height: size[0], width: size[1] };
  let isInPixels = false;
  let isStretchedFirst = true;
  for (const spec of [...transforms].reverse()) {
    const transform = transformOf(spec);
    const brings =
      transform.kind === "sampling" ||
      (transform.kind === "geometric" && transform.resizes !== "none");
    if (brings) isStretchedFirst = false;
    if (transform.kind !== "geometric" && transform.unit === "pixels") isInPixels = true;
    else if (brings) isInPixels = false;
    if (transform.kind !== "photometric" && transform.needs) needed = transform.needs(spec, needed);
  }
  if (isInPixels && !isStretchedFirst) return undefined;
  return { height: Math.ceil(needed.height), width: Math.ceil(needed.width) };
}
