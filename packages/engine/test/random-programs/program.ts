/** A random program: a training step as data. Data, so that it can be sent to a process that may die of it, shrunk by
 *  cutting, and printed as a file that runs. */

export type Dtype = "float32" | "int32" | "bool";

/** What is known of a value. */
export interface ValueType {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

/** A parameter is part of the state, differentiated and updated; an input is neither. */
export interface ProgramInput extends ValueType {
  readonly role: "parameter" | "input";
  readonly dtype: "float32" | "int32";
  /** The elements, for each run: a parameter has those of the first. */
  readonly data: readonly (Float32Array | Int32Array)[];
}

/** One call. */
export interface Operation {
  /** Name of the row that drew it. */
  readonly row: string;
  /** JavaScript of `tf`, `ops` and names of values. */
  readonly expression: string;
  /** The names that it reads. */
  readonly operands: readonly string[];
  readonly results: readonly ValueType[];
  /** Whether the expression is a list or an object of results, even of one. */
  readonly gives: "one" | "list" | "record";
}

/** How a value enters the loss. */
export type Term = "weighted" | "square" | "sum";

export interface Program {
  readonly seed: number;
  readonly inputs: readonly ProgramInput[];
  readonly operations: readonly Operation[];
  /** The values that the step returns. */
  readonly outputs: readonly string[];
  /** The values that the loss is made of; empty for a program without gradients. */
  readonly loss: readonly { readonly value: string; readonly term: Term }[];
  /** How often the step runs, 1 or 2: the second run sees the updated state. */
  readonly runs: number;
}

export const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((size, length) => size * length, 1);

/** The parameters that the loss is differentiated by. */
export const parametersOf = ({ inputs }: Program): readonly ProgramInput[] =>
  inputs.filter(({ role }) => role === "parameter");

/** The program without what neither its outputs nor its loss depend on. */
export function withoutDeadCode(program: Program): Program {
  const needed = new Set([...program.outputs, ...program.loss.map(({ value }) => value)]);
  const operations = program.operations
    .toReversed()
    .filter(({ operands, results }) => {
      if (!results.some(({ name }) => needed.has(name))) return false;
      for (const name of operands) needed.add(name);
      return true;
    })
    .toReversed();
  const inputs = program.inputs.filter(({ name }) => needed.has(name));
  return { ...program, operations, inputs };
}

/** Parameters that the loss does not depend on become inputs, as tfjs refuses to differentiate by them. */
export function onlyDifferentiated(program: Program): Program {
  const needed = new Set(program.loss.map(({ value }) => value));
  for (const { operands, results } of program.operations.toReversed())
    if (results.some(({ name }) => needed.has(name))) for (const name of operands) needed.add(name);
  const inputs = program.inputs.map((input): ProgramInput =>
    input.role === "parameter" && !needed.has(input.name) ? { ...input, role: "input" } : input,
  );
  return { ...program, inputs };
}

/** The values that depend on a parameter. */
export function reached(program: Program): Set<string> {
  const names = new Set(parametersOf(program).map(({ name }) => name));
  for (const { operands, results } of program.operations)
    if (operands.some((name) => names.has(name))) for (const { name } of results) names.add(name);
  return names;
}

const term = ({ value, term }: Program["loss"][number], { shape }: ValueType): string => {
  if (term === "sum") return `tf.sum(${value})`;
  if (term === "square") return `tf.mean(tf.square(${value}))`;
  const size = sizeOf(shape);
  return `tf.sum(tf.mul(${value}, tf.reshape(tf.div(tf.range(1, ${size + 1}), ${size}), [${shape.join(", ")}])))`;
};

/** The body of a function of `tf` and `ops` that returns the step. Each operation has a line of its own, so that an error
 *  that names a line names the operation. */
export function stepSource(program: Program): string {
  const names = program.inputs.map(({ name }) => name).join(", ");
  const types = typesOf(program);
  const lines = program.operations.map(({ expression, results, gives }) => {
    const list = results.map(({ name }) => name).join(", ");
    if (gives === "one") return `  const ${list} = ${expression};`;
    if (gives === "list") return `  const [${list}] = ${expression};`;
    return `  const [${list}] = Object.values(${expression});`;
  });
  const returned = [
    ...new Set([...program.outputs, ...program.loss.map(({ value }) => value)]),
  ].join(", ");
  const forward = [
    `const forward = ({ ${names} }) => {`,
    ...lines,
    `  return { ${returned} };`,
    "};",
  ];
  // A value may be a view of a parameter, and is returned as a tensor of its own.
  const outputs = program.outputs.map((name) => `${name}: values.${name}`);
  if (program.loss.length === 0)
    return [
      ...forward,
      "const step = (state, inputs) => {",
      "  const values = forward({ ...state, ...inputs });",
      `  return { state, outputs: { ${outputs.join(", ")} } };`,
      "};",
    ].join("\n");
  const parameters = parametersOf(program).map(({ name }) => name);
  const terms = program.loss.map((part) => term(part, types.get(part.value)!));
  const list = parameters.join(", ");
  return [
    ...forward,
    `const lossOf = (inputs) => (${list}) => {`,
    `  const { ${[...new Set(program.loss.map(({ value }) => value))].join(", ")} } = forward({ ...inputs, ${list} });`,
    `  return tf.addN([${terms.join(", ")}]);`,
    "};",
    "const step = (state, inputs) => {",
    "  const values = forward({ ...state, ...inputs });",
    `  const { value, grads } = tf.valueAndGrads(lossOf(inputs))([${parameters.map((name) => `state.${name}`).join(", ")}]);`,
    "  const update = (w, g) => tf.sub(w, tf.mul(0.01, g));",
    "  return {",
    `    state: { ${parameters.map((name, i) => `${name}: update(state.${name}, grads[${i}])`).join(", ")} },`,
    `    outputs: { ${[...outputs, "loss: value", ...parameters.map((name, i) => `"gradient of ${name}": grads[${i}]`)].join(", ")} },`,
    "  };",
    "};",
  ].join("\n");
}

/** Every value of a program by name. */
const typesOf = ({ inputs, operations }: Program): ReadonlyMap<string, ValueType> =>
  new Map(
    [...inputs, ...operations.flatMap(({ results }) => results)].map((value) => [
      value.name,
      value,
    ]),
  );

/** What `engine.compile` takes beside the step. */
export function specOf({ inputs }: Program) {
  const named = (role: ProgramInput["role"]) => inputs.filter((input) => input.role === role);
  return {
    state: Object.fromEntries(
      named("parameter").map(({ name, shape, data }) => [
        name,
        { shape, data: data[0] as Float32Array },
      ]),
    ),
    inputs: Object.fromEntries(
      named("input").map(({ name, shape, dtype }) => [name, { shape, dtype }]),
    ),
  };
}

/** The inputs of one run. */
export const inputsOf = (
  { inputs }: Program,
  run: number,
): Record<string, Float32Array | Int32Array> =>
  Object.fromEntries(
    inputs
      .filter(({ role }) => role === "input")
      .map(({ name, data }) => [name, data[run] ?? data[0]!]),
  );

const literal = (data: Float32Array | Int32Array): string => {
  const numbers = Array.from(data, (value) =>
    Object.is(value, -0) ? "-0" : String(shortest(value, data)),
  );
  const type = data instanceof Float32Array ? "Float32Array" : "Int32Array";
  if (data.length > 8 && numbers.every((number) => number === numbers[0]))
    return `new ${type}(${data.length}).fill(${numbers[0]})`;
  return `${type}.of(${numbers.join(", ")})`;
};

/** The shortest decimal number that is the same float32. */
function shortest(value: number, data: Float32Array | Int32Array): number {
  if (data instanceof Int32Array || !Number.isFinite(value)) return value;
  for (let digits = 1; digits < 10; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return value;
}

/** A file that runs the program on an engine beside tfjs's cpu backend and prints both: `node FILE` in the root. */
export function runnableSource(
  program: Program,
  { engine, options, gradients }: { engine: string; options: object; gradients: "ops" | "tfjs" },
): string {
  const { state, inputs } = specOf(program);
  const shape = (of: readonly number[]) => `[${of.join(", ")}]`;
  const states = Object.entries(state).map(
    ([name, tensor]) =>
      `    ${name}: { shape: ${shape(tensor.shape)}, data: ${literal(tensor.data)} },`,
  );
  const specs = Object.entries(inputs).map(
    ([name, spec]) => `    ${name}: { shape: ${shape(spec.shape)}, dtype: "${spec.dtype}" },`,
  );
  const runs = Array.from({ length: program.runs }, (_, run) => {
    const given = Object.entries(inputsOf(program, run));
    return `  { ${given.map(([name, data]) => `${name}: ${literal(data)}`).join(", ")} },`;
  });
  return [
    ...(gradients === "tfjs" ? ['import "@tensorflow/tfjs";'] : []),
    'import "@tensorflow/tfjs-backend-cpu";',
    'import * as tf from "@tensorflow/tfjs-core";',
    ...(/\bops\./.test(stepSource(program)) ? ['import * as ops from "@lejepa/ops";'] : []),
    'import { createEngine } from "@lejepa/engine";',
    "",
    stepSource(program),
    "",
    `const spec = {`,
    `  state: {${states.length ? `\n${states.join("\n")}\n  ` : ""}},`,
    `  inputs: {${specs.length ? `\n${specs.join("\n")}\n  ` : ""}},`,
    "};",
    "const runs = [",
    ...runs,
    "];",
    `for (const [name, options] of [["eager", { backend: "cpu" }], ["${engine}", ${JSON.stringify(options)}]]) {`,
    "  const engine = await createEngine(name, options);",
    "  try {",
    "    const compiled = await engine.compile(step, spec);",
    "    for (const inputs of runs)",
    "      for (const [output, { data }] of Object.entries(await compiled.run(inputs))) console.log(name, output, ...data);",
    "  } catch (error) {",
    "    console.log(name, error.code, error.message);",
    "  }",
    "  await engine.dispose();",
    "}",
    "",
  ].join("\n");
}
