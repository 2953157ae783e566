import type { ModelMaker } from "./entry-parts.js";
import { onnxTarget } from "./kernels/table.js";
import { encode } from "./onnx/encode.js";
import { batchParts } from "./passes/batch-parts.js";
import { compileSegments, runPasses } from "./passes/run-passes.js";

/** Of the largest activations of a part of a batch. A third cache holds a few of those, and of the batch norm, ReLU and
 *  masks around them. Parts of half the size take as long, and of twice the size 2 to 4 % longer. */
const partBytes = 4 * 2 ** 20;

/** What the models of onnxruntime depend on: where they run. */
interface OnnxMaking extends Pick<ModelMaker, "updates" | "processes"> {
  /** Channels in a block of the blocked layout; undefined where that is not to be used. */
  readonly blockSize: number | undefined;
  /** Whether batches go through a step in parts that a processor's cache holds. */
  readonly batches: "in parts" | "whole";
}

/** How the onnx engine makes ONNX models of captured steps. */
export const onnxMaker = ({ blockSize, batches, ...rest }: OnnxMaking): ModelMaker => ({
  ...onnxTarget,
  ...rest,
  lower: (segments) =>
    compileSegments(
      batches === "in parts"
        ? segments.map((captured) => runPasses(captured, [batchParts(partBytes)]))
        : segments,
      blockSize,
    ),
  smallState: "packed",
  handingOn: "copies",
  encode,
});
