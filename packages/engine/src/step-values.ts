import type { HostTensor, HostTensors } from "@lejepa/ops";
import { engineError } from "./engine-error.js";
import type { InputSpec, InputValue, StepSpec } from "./engine.js";

/** One input of a step with its defaults filled in. */
export interface ResolvedInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32";
  readonly size: number;
}

const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((size, length) => size * length, 1);

const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(", ") || "none";

/** The declared inputs, checked once at compile time. */
export function resolveInputs(inputs: StepSpec["inputs"]): ResolvedInput[] {
  return Object.entries(inputs).map(([name, spec]: [string, InputSpec]) => {
    const dtype = spec.dtype ?? "float32";
    if (dtype !== "float32" && dtype !== "int32")
      throw engineError(
        "bad-input",
        `compile: input "${name}" has dtype "${String(dtype)}"; declare "float32" or "int32".`,
      );
    if (!spec.shape.every((length) => Number.isInteger(length) && length > 0))
      throw engineError(
        "bad-input",
        `compile: input "${name}" has shape [${spec.shape.join(", ")}]; every axis needs a whole number of at least 1.`,
      );
    return { name, shape: spec.shape, dtype, size: sizeOf(spec.shape) };
  });
}

/** Throws "bad-state" unless `state` has exactly the names and shapes of `declared`. */
export function checkState(state: HostTensors, declared: HostTensors): void {
  for (const name of Object.keys(state))
    if (!(name in declared))
      throw engineError(
        "bad-state",
        `state has an unknown name "${name}"; this step was compiled for ${list(Object.keys(declared))}.`,
      );
  for (const [name, { shape }] of Object.entries(declared)) {
    const given = state[name];
    if (given === undefined)
      throw engineError(
        "bad-state",
        `state lacks "${name}" of shape [${shape.join(", ")}]; pass every tensor.`,
      );
    checkHostTensor(given, shape, `state "${name}"`, "bad-state");
  }
}

function checkHostTensor(
  tensor: HostTensor,
  shape: readonly number[],
  what: string,
  code: "bad-state" | "bad-input",
): void {
  const { shape: given, data } = (tensor ?? {}) as Partial<HostTensor>;
  if (!Array.isArray(given) || !ArrayBuffer.isView(data))
    throw engineError(
      code,
      `${what} should be { shape, data } with a typed array${code === "bad-input" ? ", or a typed array alone" : ""}, got ${JSON.stringify(tensor)?.slice(0, 40) ?? "nothing"}.`,
    );
  const same =
    tensor.shape.length === shape.length &&
    tensor.shape.every((length, axis) => length === shape[axis]);
  if (!same)
    throw engineError(
      code,
      `${what} should have shape [${shape.join(", ")}], got [${tensor.shape.join(", ")}].`,
    );
  if (!(tensor.data instanceof Float32Array) || tensor.data.length !== sizeOf(shape))
    throw engineError(
      code,
      `${what} of shape [${shape.join(", ")}] needs a Float32Array of ${sizeOf(shape)} elements, got ${tensor.data.constructor.name} of ${tensor.data.length}.`,
    );
}

/** The elements of one run's inputs in the declared order; arrays are the caller's own, not copies. */
export function readInputs(
  declared: readonly ResolvedInput[],
  given: Readonly<Record<string, InputValue>>,
): (Float32Array | Int32Array)[] {
  for (const name of Object.keys(given))
    if (!declared.some((input) => input.name === name))
      throw engineError(
        "bad-input",
        `run: unknown input "${name}"; this step takes ${list(declared.map((input) => input.name))}.`,
      );
  return declared.map((input) => readInput(input, given[input.name]));
}

function readInput(
  { name, shape, dtype, size }: ResolvedInput,
  value: InputValue | undefined,
): Float32Array | Int32Array {
  const what = `run: input "${name}"`;
  const wanted = dtype === "int32" ? Int32Array : Float32Array;
  if (value === undefined)
    throw engineError(
      "bad-input",
      `${what} is missing; pass ${size} ${dtype} elements of shape [${shape.join(", ")}].`,
    );
  if (typeof value === "number") {
    if (size !== 1)
      throw engineError(
        "bad-input",
        `${what} of shape [${shape.join(", ")}] needs ${size} elements, got one number.`,
      );
    return wanted.of(value);
  }
  let data: unknown = value;
  if (!ArrayBuffer.isView(value)) {
    checkHostTensor(value, shape, what, "bad-input");
    data = value.data;
  }
  if (!(data instanceof wanted))
    throw engineError(
      "bad-input",
      `${what} is declared ${dtype} and needs ${wanted.name === "Int32Array" ? "an Int32Array" : "a Float32Array"}, got ${(data as object).constructor.name}.`,
    );
  if (data.length !== size)
    throw engineError(
      "bad-input",
      `${what} of shape [${shape.join(", ")}] needs ${size} elements, got ${data.length}.`,
    );
  return data;
}
