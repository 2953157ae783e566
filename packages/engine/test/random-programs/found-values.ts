/** What the operations of a program give on tfjs's active backend. */
import * as tf from "@tensorflow/tfjs-core";
import { tensorOf } from "./generate.js";
import type { Program, ValueType } from "./program.js";
import { runOperation } from "./run-source.js";

/** A value that an operation gave in the first run. */
export interface FoundValue extends ValueType {
  readonly data: Float32Array | Int32Array;
}

/** The values of the first run, in order; undefined where tfjs refuses an operation. */
export function foundValues(program: Program): FoundValue[] | undefined {
  const values: FoundValue[] = [];
  try {
    tf.tidy(() => {
      const tensors = new Map(program.inputs.map((input) => [input.name, tensorOf(input)]));
      for (const operation of program.operations)
        runOperation(operation, tensors).forEach((tensor, i) => {
          const name = operation.results[i]?.name ?? "";
          tensors.set(name, tensor);
          const data = tensor.dataSync();
          values.push({
            name,
            shape: [...tensor.shape],
            dtype: tensor.dtype as FoundValue["dtype"],
            data: tensor.dtype === "float32" ? Float32Array.from(data) : Int32Array.from(data),
          });
        });
    });
    return values;
  } catch {
    return undefined;
  }
}
