import type { HostTensor, HostTensors } from "@lejepa/ops";
import { isRecord } from "./checked-options.js";
import { engineError } from "./engine-error.js";
import type { InputSpec, InputValue, StepSpec } from "./engine.js";
import { shown } from "./shown.js";

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

/** Lengths of axes, each a whole number of at least `least`. */
const isShape = (shape: unknown, least: number): shape is readonly number[] =>
  Array.isArray(shape) &&
  shape.every((length: unknown) => Number.isSafeInteger(length) && (length as number) >= least);

/** The declared inputs, checked once at compile time. */
export function resolveInputs(inputs: StepSpec["inputs"]): ResolvedInput[] {
  if (!isRecord(inputs))
    throw engineError(
      "bad-input",
      `compile: the inputs should be a record of { shape, dtype } by name, {} for none, got ${shown(inputs)}.`,
    );
  return Object.entries(inputs).map(([name, spec]: [string, InputSpec]) => {
    if (!isRecord(spec) || !Array.isArray(spec.shape))
      throw engineError(
        "bad-input",
        `compile: input "${name}" should be { shape: [..], dtype }, got ${shown(spec)}.`,
      );
    const [unknown] = Object.keys(spec).filter((key) => key !== "shape" && key !== "dtype");
    if (unknown !== undefined)
      throw engineError(
        "bad-input",
        `compile: input "${name}" has an unknown key "${unknown}"; declare its shape and its dtype.`,
      );
    const dtype = spec.dtype ?? "float32";
    if (dtype !== "float32" && dtype !== "int32")
      throw engineError(
        "bad-input",
        `compile: input "${name}" has dtype ${shown(dtype)}; declare "float32" or "int32".`,
      );
    if (!isShape(spec.shape, 1))
      throw engineError(
        "bad-input",
        `compile: input "${name}" has shape [${(spec.shape as unknown[]).map(shown).join(", ")}]; every axis needs a whole number of at least 1.`,
      );
    return { name, shape: spec.shape, dtype, size: sizeOf(spec.shape) };
  });
}

/** Throws "bad-state" unless `state` has exactly the names and shapes of `declared`. */
export function checkState(state: HostTensors, declared: HostTensors): void {
  if (!isRecord(state))
    throw engineError(
      "bad-state",
      `The state should be a record of { shape, data } by name, {} for none, got ${shown(state)}.`,
    );
  for (const name of Object.keys(state))
    if (!Object.hasOwn(declared, name))
      throw engineError(
        "bad-state",
        `state has an unknown name "${name}"; this step was compiled for ${list(Object.keys(declared))}.`,
      );
  for (const [name, tensor] of Object.entries(declared)) {
    const what = `state "${name}"`;
    if (state === declared) {
      // What is being compiled for: nothing has been checked yet.
      const shape = (tensor as Partial<HostTensor> | null | undefined)?.shape;
      if (Array.isArray(shape) && !isShape(shape, 0))
        throw engineError(
          "bad-state",
          `${what} has shape [${(shape as unknown[]).map(shown).join(", ")}]; every axis needs a whole number.`,
        );
      checkHostTensor(tensor, shape ?? [], what, "bad-state");
      continue;
    }
    if (!Object.hasOwn(state, name))
      throw engineError(
        "bad-state",
        `state lacks "${name}" of shape [${tensor.shape.join(", ")}]; pass every tensor.`,
      );
    checkHostTensor(state[name], tensor.shape, what, "bad-state");
  }
}

/** Throws unless a value is { shape, data } of this shape, with an array of one of the `wanted` kind. */
function checkHostTensor(
  tensor: unknown,
  shape: readonly number[],
  what: string,
  code: "bad-state" | "bad-input",
  wanted: typeof Float32Array | typeof Int32Array = Float32Array,
): asserts tensor is { readonly data: Float32Array | Int32Array } {
  const { shape: given, data } = (tensor ?? {}) as Partial<HostTensor>;
  if (!Array.isArray(given) || !ArrayBuffer.isView(data))
    throw engineError(
      code,
      `${what} should be { shape, data } with a typed array${code === "bad-input" ? ", or a typed array alone" : ""}, got ${shown(tensor)}.`,
    );
  const same =
    given.length === shape.length && given.every((length, axis) => length === shape[axis]);
  if (!same)
    throw engineError(
      code,
      `${what} should have shape [${shape.join(", ")}], got [${(given as unknown[]).map(shown).join(", ")}].`,
    );
  if (!(data instanceof wanted) || data.length !== sizeOf(shape))
    throw engineError(
      code,
      `${what} of shape [${shape.join(", ")}] needs ${article(wanted)} of ${sizeOf(shape)} elements, got ${shown(data)}.`,
    );
}

const article = (wanted: typeof Float32Array | typeof Int32Array): string =>
  wanted === Int32Array ? "an Int32Array" : "a Float32Array";

/** The elements of one run's inputs in the declared order; arrays are the caller's own, not copies. */
export function readInputs(
  declared: readonly ResolvedInput[],
  given: Readonly<Record<string, InputValue>>,
): (Float32Array | Int32Array)[] {
  if (!isRecord(given))
    throw engineError(
      "bad-input",
      `run: the inputs should be a record of values by name, {} for none, got ${shown(given)}; this step takes ${list(declared.map((input) => input.name))}.`,
    );
  for (const name of Object.keys(given))
    if (!declared.some((input) => input.name === name))
      throw engineError(
        "bad-input",
        `run: unknown input "${name}"; this step takes ${list(declared.map((input) => input.name))}.`,
      );
  return declared.map((input) =>
    readInput(input, Object.hasOwn(given, input.name) ? given[input.name] : undefined),
  );
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
    const own = wanted.of(value);
    if (dtype === "int32" && own[0] !== value)
      throw engineError(
        "bad-input",
        `${what} is declared int32 and needs a whole number of 32 bits, got ${value}.`,
      );
    return own;
  }
  let data: unknown = value;
  if (!ArrayBuffer.isView(value)) {
    checkHostTensor(value, shape, what, "bad-input", wanted);
    data = value.data;
  }
  if (!(data instanceof wanted))
    throw engineError(
      "bad-input",
      `${what} is declared ${dtype} and needs ${article(wanted)}, got ${shown(data)}.`,
    );
  if (data.length !== size)
    throw engineError(
      "bad-input",
      `${what} of shape [${shape.join(", ")}] needs ${size} elements, got ${data.length}.`,
    );
  return data;
}
