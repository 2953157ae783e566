/** Makes a failing program smaller. Every reduction keeps a program whole: an operation is cut by making what it gave an
 *  input of the same shape and the same numbers, so that all behind it stays as it was. */
import type { FoundValue } from "./found-values.js";
import {
  onlyDifferentiated,
  reached,
  sizeOf,
  withoutDeadCode,
  type Operation,
  type Program,
  type ProgramInput,
} from "./program.js";

/** What shrinking asks about programs. */
export interface Failure {
  /** Whether a program fails like the first. */
  fails(program: Program): Promise<boolean>;
  /** The values of a program's first run; undefined where tfjs refuses it. */
  values(program: Program): Promise<readonly FoundValue[] | undefined>;
}

/** The smallest program found that fails like the one given. Reductions are tried until none helps.
 *  @param mostTries how many programs may be run at most */
export async function shrink(
  program: Program,
  failure: Failure,
  mostTries = 250,
): Promise<Program> {
  let best = program;
  let tries = 0;
  const accept = async (candidate: Program | undefined): Promise<boolean> => {
    if (candidate === undefined || tries >= mostTries) return false;
    const tidy = onlyDifferentiated(withoutDeadCode(candidate));
    if (tidy.outputs.length === 0 && tidy.loss.length === 0) return false;
    tries++;
    if (!(await failure.fails(tidy))) return false;
    best = tidy;
    return true;
  };
  for (let before: number; ;) {
    before = weight(best);
    await fewerResults(() => best, accept);
    await fewerOperations(() => best, accept, failure);
    await bypass(() => best, accept);
    await fewerParameters(() => best, accept);
    await smallerShapes(() => best, accept, failure);
    await plainerNumbers(() => best, accept);
    if (weight(best) >= before || tries >= mostTries) return best;
  }
}

type Accept = (candidate: Program | undefined) => Promise<boolean>;

/** What a person has to read. */
const weight = ({ operations, inputs, outputs, loss, runs }: Program): number =>
  1000 * operations.length +
  50 * (inputs.length + outputs.length + loss.length + runs) +
  inputs.reduce((sum, { shape, data }) => sum + sizeOf(shape) * data.length, 0);

/** One result instead of many; one run; no gradient. */
async function fewerResults(best: () => Program, accept: Accept): Promise<void> {
  if (best().runs > 1)
    await accept({
      ...best(),
      runs: 1,
      inputs: best().inputs.map((input) => ({ ...input, data: [input.data[0]!] })),
    });
  if (best().loss.length > 0) {
    await accept({ ...best(), loss: [], inputs: best().inputs });
    if (best().outputs.length > 0) await accept({ ...best(), outputs: [] });
  }
  for (const name of best().outputs)
    if (best().outputs.length + best().loss.length > 1)
      if (await accept({ ...best(), outputs: [name], loss: [] })) break;
  for (const name of best().outputs)
    if (best().outputs.length + best().loss.length > 1)
      await accept({ ...best(), outputs: best().outputs.filter((other) => other !== name) });
  for (const part of best().loss)
    if (best().loss.length > 1 && (await accept({ ...best(), loss: [part] }))) break;
  for (const part of best().loss)
    if (best().loss.length > 1)
      await accept({ ...best(), loss: best().loss.filter((other) => other !== part) });
  for (const part of best().loss)
    if (part.term !== "sum")
      await accept({
        ...best(),
        loss: best().loss.map((other) => (other === part ? { ...part, term: "sum" } : other)),
      });
}

/** Operations cut, half of them at first, one of them at last, from the front. A result in the middle may do as well. */
async function fewerOperations(
  best: () => Program,
  accept: Accept,
  failure: Failure,
): Promise<void> {
  for (
    let block = Math.ceil(best().operations.length / 2);
    block >= 1;
    block = block === 1 ? 0 : Math.ceil(block / 2)
  ) {
    for (let at = 0; at < best().operations.length;) {
      const before = best().operations.length;
      const values = await failure.values(best());
      if (values === undefined) return;
      const gone = new Set(best().operations.slice(at, at + block));
      await accept(cut(best(), gone, values));
      if (best().operations.length === before) at += block;
    }
    for (const { results } of best().operations.toReversed())
      for (const { name, dtype } of results)
        if (best().loss.length === 0 && best().outputs.length === 1 && best().outputs[0] !== name) {
          if (await accept({ ...best(), outputs: [name] })) break;
        } else if (
          best().loss.length === 1 &&
          best().outputs.length === 0 &&
          dtype === "float32" &&
          reached(best()).has(name)
        )
          if (
            best().loss[0]!.value !== name &&
            (await accept({ ...best(), loss: [{ value: name, term: "weighted" }] }))
          )
            break;
  }
}

/** The program with what these operations gave as inputs. */
function cut(
  program: Program,
  gone: ReadonlySet<Operation>,
  values: readonly FoundValue[],
): Program {
  const inputs = [...program.inputs];
  const operations: Operation[] = [];
  const found = new Map(values.map((value) => [value.name, value]));
  const dependent = reached(program);
  for (const operation of program.operations) {
    if (!gone.has(operation)) {
      operations.push(operation);
      continue;
    }
    for (const { name } of operation.results) {
      const { shape, dtype, data } = found.get(name)!;
      if (sizeOf(shape) === 0) {
        const expression = `tf.zeros([${shape.join(", ")}], "${dtype}")`;
        operations.push({
          row: "tf.zeros",
          expression,
          operands: [],
          gives: "one",
          results: [{ name, shape, dtype }],
        });
      } else if (dtype === "bool") {
        const source = `${name}_`;
        inputs.push({ name: source, shape, dtype: "int32", role: "input", data: [data] });
        operations.push({
          row: "tf.cast",
          expression: `tf.cast(${source}, "bool")`,
          operands: [source],
          gives: "one",
          results: [{ name, shape, dtype }],
        });
      } else {
        const role = dtype === "float32" && dependent.has(name) ? "parameter" : "input";
        inputs.push({ name, shape, dtype, role, data: [data] });
      }
    }
  }
  return { ...program, inputs, operations };
}

/** An operation that gives what it is given, in shape and type, left out. */
async function bypass(best: () => Program, accept: Accept): Promise<void> {
  for (const operation of best().operations) {
    if (!best().operations.includes(operation) || operation.results.length !== 1) continue;
    const [{ name, shape, dtype }] = operation.results as [Operation["results"][number]];
    const types = [...best().inputs, ...best().operations.flatMap(({ results }) => results)];
    for (const operand of new Set(operation.operands)) {
      const type = types.find((value) => value.name === operand)!;
      if (type.dtype !== dtype || String(type.shape) !== String(shape)) continue;
      if (await accept(renamed(best(), operation, name, operand))) break;
    }
  }
}

function renamed(program: Program, without: Operation, from: string, to: string): Program {
  const rename = (name: string): string => (name === from ? to : name);
  return {
    ...program,
    operations: program.operations
      .filter((operation) => operation !== without)
      .map((operation) => ({
        ...operation,
        operands: operation.operands.map(rename),
        expression: operation.expression.replace(new RegExp(`\\b${from}\\b`, "g"), to),
      })),
    outputs: [...new Set(program.outputs.map(rename))].filter((name) =>
      program.inputs.every((input) => input.name !== name),
    ),
    loss: program.loss.map((part) => ({ ...part, value: rename(part.value) })),
  };
}

/** Parameters that need not be differentiated by. */
async function fewerParameters(best: () => Program, accept: Accept): Promise<void> {
  for (const { name, role } of best().inputs)
    if (role === "parameter")
      await accept({
        ...best(),
        inputs: best().inputs.map((input) =>
          input.name === name ? { ...input, role: "input" } : input,
        ),
      });
}

/** Axes of inputs shortened, and the shapes of what comes of them found anew. */
async function smallerShapes(best: () => Program, accept: Accept, failure: Failure): Promise<void> {
  for (const name of best().inputs.map((input) => input.name))
    for (let axis = 0; ; axis++) {
      const input = best().inputs.find((other) => other.name === name);
      if (input === undefined || axis >= input.shape.length) break;
      const length = input.shape[axis]!;
      for (const shorter of new Set([1, Math.ceil(length / 2), length - 1]))
        if (shorter >= 1 && shorter < length) {
          // Other inputs have the axis too: residuals, filters, biases.
          const alone = await resized(best(), new Map([[name, axis]]), length, shorter, failure);
          if (await accept(alone)) break;
          const together = new Map(
            best().inputs.flatMap((other) => {
              const same = other.shape.indexOf(length);
              return same < 0 ? [] : [[other.name, same] as const];
            }),
          ).set(name, axis);
          if (await accept(await resized(best(), together, length, shorter, failure))) break;
        }
    }
}

async function resized(
  program: Program,
  axes: ReadonlyMap<string, number>,
  length: number,
  shorter: number,
  failure: Failure,
): Promise<Program | undefined> {
  const inputs = program.inputs.map((input): ProgramInput => {
    const axis = axes.get(input.name);
    if (axis === undefined) return input;
    const inner = sizeOf(input.shape.slice(axis + 1));
    const keeps = (_: number, i: number): boolean => Math.floor(i / inner) % length < shorter;
    return {
      ...input,
      shape: input.shape.map((own, i) => (i === axis ? shorter : own)),
      data: input.data.map((data) => data.filter(keeps as never)),
    };
  });
  const values = await failure.values({ ...program, inputs });
  // A list of results has as many as before, or what names them would have to change.
  const known = program.operations.reduce((sum, { results }) => sum + results.length, 0);
  if (values?.length !== known) return undefined;
  const types = new Map(values.map(({ name, shape, dtype }) => [name, { name, shape, dtype }]));
  const operations = program.operations.map((operation) => ({
    ...operation,
    results: operation.results.map(({ name }) => types.get(name)!),
  }));
  return { ...program, inputs, operations };
}

/** Ones, small whole numbers, or numbers of a few digits. */
async function plainerNumbers(best: () => Program, accept: Accept): Promise<void> {
  const plain: readonly ((value: number, i: number) => number)[] = [
    () => 1,
    (_value, i) => (i % 5) - 2,
    (value) => Math.round(value),
    (value) => Math.round(value * 10) / 10,
  ];
  for (const { name } of best().inputs)
    for (const [i, map] of plain.entries()) {
      const input = best().inputs.find((other) => other.name === name)!;
      const data = input.data.map((numbers) => numbers.map(map));
      if (
        data.every((numbers, run) =>
          numbers.every((value, at) => Object.is(value, input.data[run]![at])),
        )
      )
        break;
      if (input.dtype === "int32" && i === 1) continue;
      if (
        await accept({
          ...best(),
          inputs: best().inputs.map((other) => (other.name === name ? { ...other, data } : other)),
        })
      )
        break;
    }
}
