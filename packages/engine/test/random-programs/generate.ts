/** A random program from a seed and nothing else.
 *
 *  Not by fast-check: it shrinks by drawing again with smaller choices, and here everything depends on what was drawn
 *  before. A convolution's window depends on the shape of the images, so one smaller choice early on gives another
 *  program, which seldom fails alike. A program is therefore data, shrunk by cutting it (shrink.ts), and what is left to
 *  draw with is a generator of numbers. */
import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import { Draw, largest, NothingToDraw, type DrawnValue } from "./draw.js";
import { families, operations } from "./operations.js";
import {
  onlyDifferentiated,
  parametersOf,
  reached,
  sizeOf,
  withoutDeadCode,
  type Operation,
  type Program,
  type ProgramInput,
  type Term,
} from "./program.js";
import { lossOf, runOperation } from "./run-source.js";

/** What may be asked of a program. */
export interface GenerateOptions {
  /** Rows of the table to draw from; all when left out. */
  readonly rows?: readonly string[];
  /** How many operations, at least and at most; 10 to 30 when left out. */
  readonly length?: readonly [number, number];
}

/** Larger numbers are kept rarely: what comes of them is mostly rounding, or overflows. */
const tame = 1e4;
/** Gradients beyond are left out. */
const tamest = 1e12;

/** The program of a seed. The active backend should be tfjs's "cpu": calls are made on it, to learn shapes and values.
 *  Which operations have gradients is found by asking tfjs, so the program also depends on the rules registered. */
export function generate(seed: number, { rows, length = [10, 30] }: GenerateOptions = {}): Program {
  const random = seedrandom.alea(`program ${seed}`);
  const runs = 2;
  const inputs: ProgramInput[] = [];
  const drawn: DrawnValue[] = [];
  const calls: Operation[] = [];
  const tensors = new Map<string, tf.Tensor>();
  /** Values that tfjs differentiates no loss of, by the parameters. */
  const withoutGradient = new Set<string>();
  const wanted = length[0] + Math.floor(random() * (length[1] - length[0] + 1));
  let names = 0;
  const chosenRow = (): string => {
    if (rows) return rows[Math.floor(random() * rows.length)]!;
    const total = families.reduce((sum, { weight }) => sum + weight, 0);
    let place = random() * total;
    const family = families.find(({ weight }) => (place -= weight) < 0) ?? families[0]!;
    return family.rows[Math.floor(random() * family.rows.length)]!;
  };
  try {
    for (let attempt = 0; calls.length < wanted && attempt < 40 * wanted; attempt++) {
      const row = chosenRow();
      const draw = new Draw(
        random,
        drawn,
        (role) => `${role === "parameter" ? "w" : "x"}${names++}`,
        runs,
      );
      let call;
      try {
        call = operations[row]!(draw);
      } catch (error) {
        if (error instanceof NothingToDraw) continue;
        throw error;
      }
      const operands = call.operands.map(({ name }) => name);
      const given = new Map(tensors);
      for (const input of draw.added) given.set(input.name, tensorOf(input));
      let results: tf.Tensor[];
      try {
        results = tf.tidy(() => runOperation({ ...call, operands }, given));
      } catch {
        continue; // tfjs refuses it.
      }
      if (results.some(({ size }) => size > largest)) continue;
      const stats = results.map(statisticsOf);
      const isNew =
        stats.some(({ hasSpecials }) => hasSpecials) &&
        !call.operands.some(({ hasSpecials }) => hasSpecials);
      if (isNew && random() > 0.08) continue;
      if (stats.some(({ least, most }) => Math.max(-least, most) > tame) && random() > 0.03)
        continue;
      for (const input of draw.added) {
        inputs.push(input);
        tensors.set(input.name, given.get(input.name)!);
        drawn.push(valueOf(input.name, given.get(input.name)!));
      }
      const named = results.map((tensor) => [`v${names++}`, tensor] as const);
      for (const [name, tensor] of named) tensors.set(name, tensor);
      const values = named.map(([name, tensor]) => valueOf(name, tensor));
      drawn.push(...values);
      const operation: Operation = {
        row,
        expression: call.expression,
        gives: call.gives,
        operands,
        results: values.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
      };
      calls.push(operation);
      const blocked =
        operands.some((name) => withoutGradient.has(name)) || !isDifferentiable(operation, tensors);
      if (blocked) for (const { name } of values) withoutGradient.add(name);
    }
    return finish(
      { seed, inputs, operations: calls, outputs: [], loss: [], runs },
      drawn,
      withoutGradient,
      random,
    );
  } finally {
    tf.dispose([...tensors.values()]);
  }
}

/** Chooses what the step returns and what it is differentiated by. */
function finish(
  program: Program,
  drawn: readonly DrawnValue[],
  withoutGradient: ReadonlySet<string>,
  random: seedrandom.PRNG,
): Program {
  const used = new Set(program.operations.flatMap(({ operands }) => operands));
  const results = new Set(
    program.operations.flatMap(({ results }) => results.map(({ name }) => name)),
  );
  const outputs = drawn.filter(
    ({ name }) => results.has(name) && (!used.has(name) || random() < 0.15),
  );
  const dependent = reached(program);
  const differentiable = drawn.filter(
    ({ name, dtype, shape, hasSpecials }) =>
      results.has(name) &&
      dtype === "float32" &&
      sizeOf(shape) > 0 &&
      dependent.has(name) &&
      !withoutGradient.has(name) &&
      (!used.has(name) || random() < 0.1) &&
      (!hasSpecials || random() < 0.1),
  );
  const terms: readonly Term[] = ["weighted", "weighted", "square", "sum"];
  const loss = differentiable.map(({ name }) => ({
    value: name,
    term: terms[Math.floor(random() * terms.length)]!,
  }));
  const whole = withoutDeadCode({ ...program, outputs: outputs.map(({ name }) => name), loss });
  return withGradients(onlyDifferentiated(whole));
}

/** The program with a loss that tfjs differentiates. Parameters without a gradient become inputs: a result may be there that
 *  does not depend on every operand. Terms that tfjs fails at are left out: some of its gradients read tensors that are gone
 *  by then, that of tf.logSigmoid among them. */
function withGradients(program: Program): Program {
  const differentiated = (loss: Program["loss"]): Program =>
    onlyDifferentiated(withoutDeadCode({ ...program, loss }));
  const sound = program.loss.filter((part) => parametersWithGradient(differentiated([part])));
  const reduced = sound.length < program.loss.length ? differentiated(sound) : program;
  const found = reduced.loss.length > 0 && parametersWithGradient(reduced);
  if (!found) return differentiated([]);
  const inputs = reduced.inputs.map((input): ProgramInput =>
    input.role === "parameter" && !found.includes(input.name) ? { ...input, role: "input" } : input,
  );
  return { ...reduced, inputs, ...(found.length === 0 && { loss: [] }) };
}

/** Names of the parameters that tfjs finds a gradient of; undefined if it fails, or if the gradient is too large to
 *  compare. */
function parametersWithGradient(program: Program): readonly string[] | undefined {
  const parameters = parametersOf(program);
  let found: string[] | undefined;
  try {
    tf.tidy(() => {
      const inputs = Object.fromEntries(
        program.inputs
          .filter(({ role }) => role === "input")
          .map((input) => [input.name, tensorOf(input)]),
      );
      const tensors = parameters.map((input) => tensorOf(input));
      const loss = lossOf(program, inputs);
      const { grads } = tf.engine().gradients(() => loss(...tensors), tensors, undefined, true);
      // What overflows does so in an order that is each library's own.
      if (grads.some((gradient) => gradient != null && !isTame(gradient))) return;
      found = parameters.filter((_, i) => grads[i] != null).map(({ name }) => name);
    });
  } catch {
    return undefined;
  }
  return found;
}

export const tensorOf = ({ data, shape, dtype }: ProgramInput, run = 0): tf.Tensor =>
  tf.tensor((data[run] ?? data[0]!).slice(), [...shape], dtype);

function statisticsOf(tensor: tf.Tensor): Pick<DrawnValue, "least" | "most" | "hasSpecials"> {
  let [least, most, hasSpecials] = [Infinity, -Infinity, false];
  for (const value of tensor.dataSync()) {
    if (!Number.isFinite(value)) hasSpecials = true;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return { least, most, hasSpecials };
}

const isTame = (tensor: tf.Tensor): boolean => {
  const { least, most } = statisticsOf(tensor);
  return !(Math.max(-least, most) > tamest);
};

const valueOf = (name: string, tensor: tf.Tensor): DrawnValue => ({
  name,
  shape: [...tensor.shape],
  dtype: tensor.dtype as DrawnValue["dtype"],
  ...statisticsOf(tensor),
});

/** Whether tfjs differentiates the results that are float32 by the operands that are. */
function isDifferentiable(operation: Operation, tensors: ReadonlyMap<string, tf.Tensor>): boolean {
  const floats = [...new Set(operation.operands)].filter(
    (name) => tensors.get(name)!.dtype === "float32",
  );
  if (floats.length === 0) return true;
  return tf.tidy(() => {
    const given = new Map(tensors);
    try {
      tf.grads((...operands: tf.Tensor[]) => {
        floats.forEach((name, i) => given.set(name, operands[i]!));
        const results = runOperation(operation, given);
        // What does not depend on an operand has a gradient of 0.
        const all = [...results, ...operands].map((value) => tf.sum(tf.cast(value, "float32")));
        return tf.addN(all);
      })(floats.map((name) => tensors.get(name)!));
      return true;
    } catch {
      return false;
    }
  });
}
