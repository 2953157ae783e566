/** What random programs are checked on, beside eager on tfjs's cpu backend. Both convolutions of the onnx engine are held
 *  to the same numbers, and so to one another. */
export const targets = {
  onnx: { engine: "onnx", options: { convolution: "auto", threads: 1, thread: "main" } },
  gathered: { engine: "onnx", options: { convolution: "gathered", threads: 1, thread: "main" } },
  tensorflow: { engine: "tensorflow", options: { threads: 1, thread: "main" } },
  wasm: { engine: "eager", options: { backend: "wasm" } },
} as const;

export type TargetName = keyof typeof targets;
export const targetNames = Object.keys(targets) as TargetName[];

/** Whose derivative rules tfjs has: those of @lejepa/ops alone, or tfjs's own, which are more, and those of @lejepa/ops
 *  for what they lack. */
export type Gradients = "ops" | "tfjs";
