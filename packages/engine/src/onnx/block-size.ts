import { checkChoice } from "../checked-options.js";
import { engineError } from "../engine-error.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Shape } from "../graph/graph.js";
import { newValue } from "../graph/graph.js";
import { encode } from "./encode.js";
import { nchwc } from "./nchwc.js";

/** How the onnx engine computes convolutions. */
export type ConvolutionMethod = "auto" | "blocked" | "gathered";

/** What the probe needs of onnxruntime. */
interface Runtime {
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: { logSeverityLevel: 4 },
    ): Promise<{
      run(feeds: Record<string, unknown>): Promise<Record<string, { readonly dims: Shape }>>;
      release(): Promise<void>;
    }>;
  };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => unknown;
}

/** Channels in a block of this onnxruntime's blocked layout, as this processor has it; undefined where the build or the
 *  processor lacks it. Four channels go into one block, whose length is that of the result. */
export async function probeBlockSize({
  InferenceSession,
  Tensor,
}: Runtime): Promise<number | undefined> {
  const x = newValue([1, 4, 1, 1], "float32");
  const g = new GraphBuilder();
  const y = g.op("ReorderInput", [x], x.shape, x.dtype, {}, nchwc);
  const graph = g.finish([{ name: "x", value: x }], [{ name: "y", value: y }]);
  try {
    const session = await InferenceSession.create(encode(graph), { logSeverityLevel: 4 });
    const { y: block } = await session.run({
      x: new Tensor("float32", new Float32Array(4), x.shape),
    });
    await session.release();
    return block!.dims[1]! > 1 ? block!.dims[1] : undefined;
  } catch {
    return undefined;
  }
}

/** The block size to compile for. Throws "engine-unavailable" where blocks are demanded and missing. */
export async function blockSizeFor(
  method: ConvolutionMethod,
  runtime: Runtime,
): Promise<number | undefined> {
  checkChoice("convolution", method, ["auto", "blocked", "gathered"]);
  if (method === "gathered") return undefined;
  const size = await probeBlockSize(runtime);
  if (method === "blocked" && size === undefined)
    throw engineError(
      "engine-unavailable",
      'This onnxruntime has no blocked convolution for this processor; use convolution "auto" or "gathered".',
    );
  return size;
}
