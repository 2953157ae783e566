/** The one place where parameter layouts change: PyTorch's on files, ours in memory.
 *    convolution  torch [out, in, height, width]   ours [height, width, in, out]
 *    linear       torch [out, in]                  ours [in, out]
 *  Everything else is the same. PyTorch also counts the batches that each batch norm has seen
 *  (`num_batches_tracked`, a scalar behind `running_var`), which nothing here reads: it is written as 0 and ignored. */
import { type HostTensor, type HostTensors, LejepaError } from "@lejepa/ops";
import type { ParameterSpec } from "./encoder.js";

/** Anything whose parameters are listed: an encoder or a projector. */
export interface Parameterised {
  /** Every parameter and buffer, in order. */
  readonly parameters: readonly ParameterSpec[];
}

/** Parameters in PyTorch's layout, in the order and with the names of `state_dict`, counters included.
 *  Throws LejepaError "missing-parameter" and "bad-parameter". */
export function toTorch(model: Parameterised, parameters: HostTensors): HostTensors {
  const entries: [string, HostTensor][] = [];
  for (const spec of model.parameters) {
    const { name, shape } = spec;
    entries.push([name, permute(find(parameters, name, shape), toTorchAxes(spec))]);
    if (name.endsWith(".running_var")) {
      const counter = name.replace(/running_var$/, "num_batches_tracked");
      entries.push([counter, { shape: [], data: new Float32Array(1) }]);
    }
  }
  return Object.fromEntries(entries);
}

/** Parameters in our layout from those of a PyTorch `state_dict`; names that the model lacks are left out.
 *  Throws LejepaError "missing-parameter" and "bad-parameter". */
export function fromTorch(model: Parameterised, stateDict: HostTensors): HostTensors {
  return Object.fromEntries(
    model.parameters.map((spec) => {
      const axes = toTorchAxes(spec);
      const torchShape = axes.map((axis) => spec.shape[axis] as number);
      const inverse = axes.map((_, axis) => axes.indexOf(axis));
      return [spec.name, permute(find(stateDict, spec.name, torchShape), inverse)];
    }),
  );
}

/** Which of our axes each of PyTorch's is. */
function toTorchAxes({ role, shape }: ParameterSpec): number[] {
  if (role === "matrix" && shape.length === 4) {
    return [3, 2, 0, 1];
  }
  if (role === "matrix" && shape.length === 2) {
    return [1, 0];
  }
  return shape.map((_, axis) => axis);
}

function find(tensors: HostTensors, name: string, shape: readonly number[]): HostTensor {
  const tensor = tensors[name];
  if (tensor === undefined) {
    throw new LejepaError(
      "missing-parameter",
      `There is no parameter "${name}" among the ${Object.keys(tensors).length} given; check that they belong to this model.`,
    );
  }
  const size = shape.reduce((product, length) => product * length, 1);
  if (tensor.shape.join() !== shape.join() || tensor.data.length !== size) {
    throw new LejepaError(
      "bad-parameter",
      `Parameter "${name}" should have shape [${shape.join(", ")}], got [${tensor.shape.join(", ")}] with ${tensor.data.length} elements; check image size, channels and layout.`,
    );
  }
  return tensor;
}

/** A copy whose axis i is axis `axes[i]` of the tensor. */
function permute({ shape, data }: HostTensor, axes: readonly number[]): HostTensor {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const newShape = axes.map((axis) => shape[axis] as number);
  const newStrides = axes.map((axis) => strides[axis] as number);
  const out = new Float32Array(data.length);
  const position = newShape.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from] as number;
    for (let axis = newShape.length - 1; axis >= 0; axis--) {
      from += newStrides[axis] as number;
      position[axis] = (position[axis] as number) + 1;
      if (position[axis] !== newShape[axis]) {
        break;
      }
      from -= (newStrides[axis] as number) * (newShape[axis] as number);
      position[axis] = 0;
    }
  }
  return { shape: newShape, data: out };
}
