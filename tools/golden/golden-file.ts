/** Files of golden values: `{ source, how, cases: [{ id, inputs, options, expected, tolerance }] }`, see read functions below. */

/** A stored tensor; with `index`, only these entries of the flattened tensor are stored. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly index?: readonly number[];
}

/** How far a number may be off: |got - expected| <= atol + rtol |expected|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** One case, checked for its form. */
export interface GoldenCase {
  readonly id: string;
  readonly inputs: Readonly<Record<string, StoredTensor>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** Expected outputs by name. */
  readonly values: Readonly<Record<string, StoredTensor>>;
  /** Expected gradients by the name of the input, and of what: "value", "sum(value)" or "sum(value * cotangent)". */
  readonly gradient?: {
    readonly of: string;
    readonly byInput: Readonly<Record<string, StoredTensor>>;
  };
  /** Tolerances by the precision of the adapter. */
  readonly tolerance: Readonly<
    Record<"float32" | "float64", { readonly values: Tolerance; readonly gradient: Tolerance }>
  >;
}

/** A case of the file that could not be read, with the reason. */
export interface MalformedCase {
  readonly id: string;
  readonly malformed: string;
}

/** The cases of a file's text, in order.
 *  Throws an Error that says what is wrong when it is not a file of cases at all. */
export function parseGoldenFile(text: string): (GoldenCase | MalformedCase)[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`not JSON: ${(error as Error).message.replaceAll("\n", " ")}`, {
      cause: error,
    });
  }
  const cases = isRecord(content) ? content["cases"] : undefined;
  if (!Array.isArray(cases)) throw new Error(`no list "cases" in it`);
  if (cases.length === 0) throw new Error(`its list "cases" is empty`);
  const seen = new Set<string>();
  return cases.map((entry: unknown, i) => {
    const id = isRecord(entry) && typeof entry["id"] === "string" ? entry["id"] : `case ${i}`;
    if (seen.has(id)) return { id, malformed: "another case has the same id" };
    seen.add(id);
    try {
      return parseCase(id, entry);
    } catch (error) {
      return { id, malformed: (error as Error).message };
    }
  });
}

function parseCase(id: string, entry: unknown): GoldenCase {
  const { inputs, options, expected, tolerance } = record("the case", entry);
  const { grad, grad_of: gradOf, ...rest } = record("expected", expected);
  const values = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== "grad_note"));
  if (Object.keys(values).length === 0) throw new Error("expected holds no values");
  const byInput = grad === null || grad === undefined ? undefined : tensors("grad", grad);
  if (byInput !== undefined && Object.keys(byInput).length === 0)
    throw new Error("grad holds no gradients");
  if (byInput !== undefined && typeof gradOf !== "string")
    throw new Error("grad_of does not say of what");
  const { float64, ...float32 } = record("tolerance", tolerance);
  const only64 = pair("tolerance.float64", record("tolerance.float64", float64), "rtol", "atol");
  const values32 = pair("tolerance", float32, "rtol", "atol");
  return {
    id,
    inputs: tensors("inputs", inputs),
    options: record("options", options),
    values: tensors("expected", values),
    ...(byInput === undefined ? {} : { gradient: { of: gradOf as string, byInput } }),
    tolerance: {
      float32: {
        values: values32,
        gradient:
          byInput === undefined ? values32 : pair("tolerance", float32, "grad_rtol", "grad_atol"),
      },
      float64: { values: only64, gradient: only64 },
    },
  };
}

function tensors(what: string, value: unknown): Record<string, StoredTensor> {
  return Object.fromEntries(
    Object.entries(record(what, value)).map(([name, entry]) => [
      name,
      storedTensor(`${what}.${name}`, entry),
    ]),
  );
}

function storedTensor(what: string, value: unknown): StoredTensor {
  const { shape, data, index } = record(what, value);
  const sizes = numbers(`${what}.shape`, shape);
  const entries = numbers(`${what}.data`, data);
  const size = sizes.reduce((product, n) => product * n, 1);
  if (!sizes.every((n) => Number.isInteger(n) && n >= 0))
    throw new Error(`${what}.shape is not a shape`);
  if (index === undefined) {
    if (entries.length !== size)
      throw new Error(`${what} has ${entries.length} values for shape [${sizes.join(", ")}]`);
    return { shape: sizes, data: entries };
  }
  const positions = numbers(`${what}.index`, index);
  if (
    positions.length !== entries.length ||
    !positions.every((i) => Number.isInteger(i) && i >= 0 && i < size)
  )
    throw new Error(`${what}.index does not fit its data and shape`);
  return { shape: sizes, data: entries, index: positions };
}

function pair(
  what: string,
  from: Readonly<Record<string, unknown>>,
  rtol: string,
  atol: string,
): Tolerance {
  const [relative, absolute] = [from[rtol], from[atol]];
  if (!isTolerance(relative) || !isTolerance(absolute))
    throw new Error(`${what} has no usable ${rtol} and ${atol}`);
  return { rtol: relative, atol: absolute };
}

function isTolerance(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && Number.isFinite(value);
}

function numbers(what: string, value: unknown): number[] {
  if (!Array.isArray(value)) throw new Error(`${what} is not a list`);
  return value.map((entry: unknown) => {
    if (typeof entry === "number") return entry;
    if (entry === "NaN" || entry === "Infinity" || entry === "-Infinity") return Number(entry);
    throw new Error(`${what} holds ${JSON.stringify(entry)}, which is no number`);
  });
}

function record(what: string, value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw new Error(`${what} is not an object`);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
