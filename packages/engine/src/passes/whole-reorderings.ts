import { nchwc, reorderedAtOnce, wholeBlocks } from "../onnx/nchwc.js";
import { list, rewriteNodes, type Pass } from "./rewrite-nodes.js";

/** A reordering to blocks takes multiples of {@link reorderedAtOnce} channels, which lowerings and passes before this one
 *  need not care about: zeros behind the last channel make up for those that are missing. */
export const wholeReorderings: Pass = {
  name: "whole reorderings",
  run: (graph) =>
    rewriteNodes(graph, ({ op, domain, inputs, outputs, attributes }, rewriting) => {
      if (op !== "ReorderInput" || domain !== nchwc) return undefined;
      const x = inputs[0]!;
      const axis = attributes.channels_last === 1 ? 3 : 1;
      const channels = wholeBlocks(x.shape[axis]!, reorderedAtOnce);
      const missing = channels - x.shape[axis]!;
      if (missing === 0) return undefined;
      const pads = [0, 0, 0, 0, 0, 0, 0, 0].with(4 + axis, missing);
      const zero = rewriting.constant({ uniform: 0 }, [], x.dtype);
      const whole = rewriting.emit(
        "Pad",
        [x, list(rewriting, pads), zero],
        x.shape.with(axis, channels),
        x.dtype,
        { mode: "constant" },
      );
      const { shape, dtype } = outputs[0]!;
      return rewriting.emit(op, [whole], shape, dtype, attributes, domain);
    }),
};
