/** Value and gradient of SIGReg with 17 knots, by each of our implementations on the same numbers. */
import { createEngine, type Step } from "@lejepa/engine";
import { characteristicMeans } from "@lejepa/ops";
import { closedFormWorkspace, directions, sigreg, sigregValueAndGrad } from "@lejepa/sigreg";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";

export const implementations = ["closed-form", "plain", "onnx", "tensorflow", "tfjs"] as const;
export type Implementation = (typeof implementations)[number];

/** V views of N embeddings of dimension D, M slices. */
export type SigregShape = readonly [views: number, samples: number, dim: number, slices: number];

/** One evaluation, and what it gives. */
export type Evaluate = () => Promise<{ value: number; grad: Float32Array }>;

/** Embeddings and directions of a shape. */
export function sigregInputs([views, samples, dim, slices]: SigregShape) {
  const normal = randomNormal.source(seedrandom.alea("bench/sigreg"))();
  const embeddings = Float32Array.from({ length: views * samples * dim }, () => normal());
  return { embeddings, directions: directions(dim, slices, 0) };
}

/** Makes an implementation ready for a shape. */
export async function openSigreg(
  implementation: Implementation,
  shape: SigregShape,
): Promise<Evaluate> {
  const inputs = sigregInputs(shape);
  const [views, samples, dim, slices] = shape;
  if (implementation === "closed-form" || implementation === "plain") {
    const kernels = implementation === "plain" ? "plain" : "simd";
    const workspace = closedFormWorkspace({ kernels });
    if (workspace.kernels !== kernels) throw new Error("This runtime has no WebAssembly SIMD.");
    const buffers = { workspace, grad: new Float32Array(inputs.embeddings.length) };
    const size = [views, samples, dim];
    return () =>
      Promise.resolve(sigregValueAndGrad(inputs.embeddings, size, inputs.directions, {}, buffers));
  }
  const adapter = tfjsAdapter({ characteristicMeans });
  const step: Step = (state, { embeddings, directions: slicing }) => {
    const { value, grads } = adapter.valueAndGrad(
      (z) => sigreg(adapter, z, slicing!),
      [embeddings!],
    );
    return { state, outputs: { value, grad: grads[0]! } };
  };
  const engine = await createEngine(implementation === "tfjs" ? "eager" : implementation);
  const compiled = await engine.compile(step, {
    state: {},
    inputs: {
      embeddings: { shape: [views, samples, dim] },
      directions: { shape: [dim, slices] },
    },
  });
  return async () => {
    const { value, grad } = await compiled.run(inputs);
    return { value: value!.data[0]!, grad: grad!.data };
  };
}
