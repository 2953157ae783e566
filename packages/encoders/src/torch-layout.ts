/** The one place where parameter layouts change: PyTorch's on files, ours in memory.
 *    "conv"    torch [out, in, height, width]   ours [height, width, in, out]
 *    "linear"  torch [out, in]                  ours [in, out]
 *    "as-is"   the same.
 *  PyTorch also counts the batches that each batch norm has seen
 *  (`num_batches_tracked`, a scalar behind `running_var`), which nothing here reads: it is written as 0 and ignored. */
import {
  type Expected,
  type HostTensor,
  type HostTensors,
  LejepaError,
  requireArgument,
  someArray,
  someObject,
  typedArray,
} from "@lejepa/ops";
import type { ParameterSpec } from "./encoder.js";

/** Anything whose parameters are listed: an encoder or a projector. */
export interface Parameterised {
  /** Every parameter and buffer, in order. */
  readonly parameters: readonly ParameterSpec[];
}

/** Parameters in PyTorch's layout, in the order and with the names of `state_dict`, counters included.
 *  Throws LejepaError "missing-parameter", "bad-parameter", and "bad-argument" for what is no model. */
export function toTorch(model: Parameterised, parameters: HostTensors): HostTensors {
  requireModel("toTorch", model);
  requireArgument("toTorch", "parameters", parameters, someObject);
  const entries: [string, HostTensor][] = [];
  for (const spec of model.parameters) {
    const { name, shape, layout } = spec;
    const { data } = find(parameters, name, shape);
    entries.push([
      name,
      {
        shape: torchShape(spec),
        data: layout === "as-is" ? data.slice() : reverseAxes(data, asThreeAxes(spec)),
      },
    ]);
    if (name.endsWith(".running_var")) {
      const counter = name.replace(/running_var$/, "num_batches_tracked");
      entries.push([counter, { shape: [], data: new Float32Array(1) }]);
    }
  }
  return Object.fromEntries(entries);
}

/** Parameters in our layout from those of a PyTorch `state_dict`; names that the model lacks are left out.
 *  Throws LejepaError "missing-parameter", "bad-parameter", and "bad-argument" for what is no model. */
export function fromTorch(model: Parameterised, stateDict: HostTensors): HostTensors {
  requireModel("fromTorch", model);
  requireArgument("fromTorch", "stateDict", stateDict, someObject);
  return Object.fromEntries(
    model.parameters.map((spec) => {
      const { data } = find(stateDict, spec.name, torchShape(spec));
      const shape = [...spec.shape];
      if (spec.layout === "as-is") return [spec.name, { shape, data: data.slice() }];
      const [positions, inputs, outputs] = asThreeAxes(spec);
      return [spec.name, { shape, data: reverseAxes(data, [outputs, inputs, positions]) }];
    }),
  );
}

function requireModel(where: string, model: Parameterised): void {
  requireArgument(where, "model", model, someObject);
  requireArgument(where, "model.parameters", model.parameters, someArray);
  // Spread: a hole in a list is no parameter.
  [...model.parameters].forEach((spec, i) => {
    requireArgument(where, `model.parameters[${i}]`, spec, parameterSpec);
  });
}

const parameterSpec: Expected = {
  text: '{ name, shape, layout, buffer } of a parameter, with two lengths or more unless its layout is "as-is"',
  accepts: (value) => {
    const { name, shape, layout, buffer } = (value ?? {}) as Partial<
      Record<keyof ParameterSpec, unknown>
    >;
    return (
      typeof name === "string" &&
      typeof layout === "string" &&
      typeof buffer === "boolean" &&
      Array.isArray(shape) &&
      [...(shape as unknown[])].every((length) => Number.isSafeInteger(length)) &&
      (layout === "as-is" || shape.length >= 2)
    );
  },
};

function torchShape({ layout, shape }: ParameterSpec): number[] {
  if (layout === "as-is") return [...shape];
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  return [outputs, inputs, ...shape.slice(0, -2)];
}

/** Elements of a matrix as [positions, in, out], the image axes of a kernel taken as one (a linear layer has one). */
function asThreeAxes({ shape }: ParameterSpec): [number, number, number] {
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  return [shape.slice(0, -2).reduce((product, length) => product * length, 1), inputs, outputs];
}

/** A copy of x [a, b, c] as [c, b, a]: [positions, in, out] to [out, in, positions] and back. */
function reverseAxes(x: Float32Array, [a, b, c]: [number, number, number]): Float32Array {
  const out = new Float32Array(x.length);
  let to = 0;
  for (let k = 0; k < c; k++) {
    for (let j = 0; j < b; j++) {
      for (let i = 0, from = j * c + k; i < a; i++, from += b * c) {
        out[to++] = x[from] as number;
      }
    }
  }
  return out;
}

function find(tensors: HostTensors, name: string, shape: readonly number[]): HostTensor {
  const tensor = tensors[name];
  if (tensor === undefined) {
    throw new LejepaError(
      "missing-parameter",
      `There is no parameter "${name}" among the ${Object.keys(tensors).length} given; check that they belong to this model.`,
    );
  }
  const where = `Parameter "${name}"`;
  requireArgument(where, "what is given", tensor, someObject, "bad-parameter");
  requireArgument(where, "shape", tensor.shape, someArray, "bad-parameter");
  requireArgument(where, "data", tensor.data, typedArray(Float32Array), "bad-parameter");
  const size = shape.reduce((product, length) => product * length, 1);
  if (tensor.shape.join() !== shape.join() || tensor.data.length !== size) {
    throw new LejepaError(
      "bad-parameter",
      `Parameter "${name}" should have shape [${shape.join(", ")}], got [${tensor.shape.join(", ")}] with ${tensor.data.length} elements; check image size, channels and layout.`,
    );
  }
  return tensor;
}
