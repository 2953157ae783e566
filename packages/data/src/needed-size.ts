import type { Size } from "./image.js";
import { transforms, type TransformSpec } from "./transforms/table.js";
import type { ImageTransform } from "./transforms/transform.js";
import type { ViewSpec } from "./view-spec.js";

/** How large an image must at least be so that no view magnifies a window of fewer pixels than the view has: what a
 *  reader may shrink a photograph to while it decodes it. In whole pixels. Undefined where a smaller image would be
 *  another view: where the views have the size of the image, or where a transform whose parameters are in pixels runs
 *  before the image is brought to the size of the view.
 *  What rotations and displacements magnify is left out: a few pixels at corners. */
export function neededSize({ size, transforms: specs }: ViewSpec): Size | undefined {
  if (size === undefined) return undefined;
  let needed: Size = { height: size[0], width: size[1] };
  let isResizedLater = false;
  for (const spec of [...specs].reverse()) {
    const transform = transforms[spec.name] as ImageTransform<TransformSpec>;
    if (transform.kind === "photometric") {
      if (isResizedLater && transform.unit === "pixels") return undefined;
      continue;
    }
    if (transform.resizes !== "none") isResizedLater = true;
    if (transform.needs) needed = transform.needs(spec, needed);
  }
  return { height: Math.ceil(needed.height), width: Math.ceil(needed.width) };
}
