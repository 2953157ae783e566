import { Tensor } from "@tensorflow/tfjs-core";
import type { HostTensors, Tensors } from "@lejepa/ops";
import { engineError } from "./engine-error.js";
import { shown } from "./shown.js";

const isRecordOfTensors = (value: unknown): value is Tensors =>
  typeof value === "object" &&
  value !== null &&
  Object.values(value).every((tensor) => tensor instanceof Tensor);

/** What is wrong with a record of tensors, ", got .. for ..". */
const wrongIn = (of: string, value: unknown): string =>
  typeof value === "object" && value !== null
    ? Object.entries(value)
        .filter(([, tensor]) => !(tensor instanceof Tensor))
        .slice(0, 1)
        .map(([name, tensor]) => `, got ${shown(tensor)} for ${of}.${name}`)
        .join("")
    : `, got ${shown(value)} for ${of}`;

/** What a step returned, checked: `{ state, outputs }` of tensors, the state with the names, shapes and type
 *  (float32) of the state that went in.
 *  @param explanation why there may be nothing in place of a tensor, where that is known */
export function checkStepResult(
  result: unknown,
  state: HostTensors,
  explanation?: string,
): { state: Tensors; outputs: Tensors } {
  if (result instanceof Promise)
    throw engineError(
      "bad-step",
      "The step is asynchronous; write it as a plain function that returns { state, outputs }.",
    );
  const { state: after, outputs } = (result ?? {}) as { state?: unknown; outputs?: unknown };
  if (!isRecordOfTensors(after) || !isRecordOfTensors(outputs))
    throw engineError(
      "bad-step",
      `The step should return { state, outputs }, both records of named tensors ({} when there are none)${wrongIn("state", after) || wrongIn("outputs", outputs)}${explanation === undefined ? "" : `; ${explanation}`}.`,
    );
  for (const [name, { isDisposed }] of [...Object.entries(after), ...Object.entries(outputs)])
    if (isDisposed)
      throw engineError(
        "bad-step",
        `The step returns "${name}" after it was disposed; leave tensors alone that are returned, those of a step are freed for it.`,
      );
  for (const name of Object.keys(after))
    if (!Object.hasOwn(state, name))
      throw engineError(
        "state-mismatch",
        `The step returns a state "${name}" that it was not given; add it to the first state, or return it among the outputs.`,
      );
  for (const [name, { shape }] of Object.entries(state)) {
    const tensor = Object.hasOwn(after, name) ? after[name] : undefined;
    if (tensor === undefined)
      throw engineError(
        "state-mismatch",
        `The step does not return the state "${name}"; return it unchanged if it did not change.`,
      );
    if (tensor.dtype !== "float32" || tensor.shape.join() !== shape.join())
      throw engineError(
        "state-mismatch",
        `The step returns the state "${name}" as ${tensor.dtype} [${tensor.shape.join(", ")}], it went in as float32 [${shape.join(", ")}].`,
      );
  }
  for (const [name, tensor] of Object.entries(outputs))
    if (tensor.dtype !== "float32" && tensor.dtype !== "int32" && tensor.dtype !== "bool")
      throw engineError(
        "bad-step",
        `The step returns the output "${name}" of type ${tensor.dtype}; return float32, int32 or bool.`,
      );
  return { state: after, outputs };
}
