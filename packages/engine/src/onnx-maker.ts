import type { ModelMaker } from "./entry-parts.js";
import { onnxTarget } from "./kernels/table.js";
import { encode } from "./onnx/encode.js";
import { batchParts } from "./passes/batch-parts.js";
import { deadCode } from "./passes/dead-code.js";
import type { Pass } from "./passes/rewrite-nodes.js";
import { capturedPasses, compileSegments, onnxPasses, runPasses } from "./passes/run-passes.js";

/** Of the largest activations of a part of a batch. A third cache holds a few of those, and of the batch norm, ReLU and
 *  masks around them. Parts of half the size take as long, and of twice the size 2 to 4 % longer. */
const partBytes = 4 * 2 ** 20;

/** What the models of onnxruntime depend on: where they run. */
export interface OnnxMaking extends Pick<ModelMaker, "updates" | "processes" | "leftOut"> {
  /** Channels in a block of the blocked layout; undefined where that is not to be used. */
  readonly blockSize: number | undefined;
  /** Whether batches go through a step in parts that a processor's cache holds. */
  readonly batches: "in parts" | "whole";
}

const smallState = "packed";

const partings = (batches: OnnxMaking["batches"]): readonly Pass[] =>
  batches === "in parts" ? [batchParts(partBytes)] : [];

/** The names of the passes that its graphs go through, each once, in the order in which they first run. Not that of dead
 *  code, which is no choice: what only dead nodes read is not fed. */
export const onnxPassNames = ({ blockSize, batches, updates }: OnnxMaking): readonly string[] => {
  const passes = [
    ...capturedPasses({ smallState, updates }),
    ...partings(batches),
    ...onnxPasses(blockSize),
  ];
  return [...new Set(passes.filter((pass) => pass !== deadCode).map(({ name }) => name))];
};

/** How the onnx engine makes ONNX models of captured steps. */
export const onnxMaker = ({ blockSize, batches, ...rest }: OnnxMaking): ModelMaker => ({
  ...onnxTarget,
  ...rest,
  smallState,
  lower: (segments) =>
    compileSegments(
      segments.map((captured) => runPasses(captured, partings(batches), rest.leftOut)),
      blockSize,
      rest.leftOut,
    ),
  handingOn: "copies",
  encode,
});
