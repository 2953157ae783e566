import type { Capability, Shape, TensorAdapter } from "../contract.js";
import type { TensorErrorCode } from "../error.js";

/** One promise of the contract, as something to try. Its id is stable: reports can be compared across versions. */
export interface ConformanceCase {
  /** "function/what-is-promised". */
  readonly id: string;
  /** Optional capabilities that the case calls. On an adapter that does not declare one of them, the call must
   *  throw `unsupported`; nothing is skipped. */
  readonly needs: readonly Capability[];
  /** Runs the case; rejects with an Error that says what differs. */
  run<T>(adapter: TensorAdapter<T>): Promise<void>;
}

/** Values and their shape. */
export interface Values {
  readonly shape: Shape;
  readonly data: readonly number[];
  /** For entries that are sums, the sum of the sizes of their terms, which rounding errors go with. */
  readonly terms?: readonly number[];
}

/** Values by nesting: `tensor([2, 2], 1, 2, 3, 4)`. */
export function tensor(shape: Shape, ...data: number[]): Values {
  return { shape, data };
}

/** A call of the contract on tensors made from the inputs of a case. */
export type Call = <T>(adapter: TensorAdapter<T>, ...inputs: T[]) => T;

/** What a call gives; with `gradients`, also those of the sum of its result times `weights` (1, 2, 3, ... in order). */
export interface Expected extends Values {
  readonly gradients?: readonly Values[];
}

/** A call and the values that it gives. With gradients it becomes a second case, "id/gradient". */
export function gives(
  id: string,
  inputs: readonly Values[],
  call: Call,
  expected: Expected,
  needs: readonly Capability[] = [],
): ConformanceCase[] {
  const value: ConformanceCase = {
    id,
    needs,
    async run(k) {
      const before = inputs.map((x) => k.fromArray(x.data, x.shape));
      const result = call(k, ...before);
      await expectValues(k, "the result", result, expected);
      for (const [i, x] of before.entries())
        await expectValues(k, `input ${i} after the call`, x, inputs[i] as Values);
    },
  };
  const { gradients } = expected;
  if (gradients === undefined) return [value];
  const weights = expected.data.map((_, i) => i + 1);
  return [
    value,
    {
      id: `${id}/gradient`,
      needs: [...new Set<Capability>(["valueAndGrad", ...needs])],
      async run(k) {
        const { grads } = k.valueAndGrad(
          (...xs) => k.sum(k.mul(call(k, ...xs), k.fromArray(weights, expected.shape))),
          inputs.map((x) => k.fromArray(x.data, x.shape)),
        );
        if (grads.length !== gradients.length)
          throw new Error(`expected ${gradients.length} gradients, got ${grads.length}`);
        for (const [i, gradient] of gradients.entries())
          await expectValues(k, `gradient ${i}`, grads[i] as ReturnType<typeof k.neg>, gradient);
      },
    },
  ];
}

/** One call of a case that makes several, all of a kind. */
export interface Trial {
  /** What is tried, for the message: "axes [1, -1], keep". */
  readonly what: string;
  readonly inputs: readonly Values[];
  readonly call: Call;
  readonly result: Values;
  /** Of the sum of the result times `upstream(result.shape)`, for each input. */
  readonly gradients?: readonly Values[];
}

/** What the cases multiply results by before they sum them up, so that the gradient that comes from above is neither 1
 *  nor the same for every entry. */
export function upstream(shape: Shape): Values {
  const size = shape.reduce((product, n) => product * n, 1);
  const data = Array.from({ length: size }, (_, i) => (1.5 + (i % 7) / 2) * (i % 2 === 0 ? 1 : -1));
  return { shape, data };
}

/** A case of several trials, and "id/gradient" of those that have gradients.
 *  @param trials makes them when the case runs */
export function givesEach(
  id: string,
  has: "values" | "values-and-gradients",
  trials: () => readonly Trial[],
  needs: readonly Capability[] = [],
): ConformanceCase[] {
  const value: ConformanceCase = {
    id,
    needs,
    async run(k) {
      for (const { what, inputs, call, result } of trials()) {
        const given = inputs.map((x) => k.fromArray(x.data, x.shape));
        await expectValues(k, `${what}: the result`, call(k, ...given), result);
        for (const [i, x] of given.entries())
          await expectValues(k, `${what}: input ${i} after the call`, x, inputs[i] as Values);
      }
    },
  };
  if (has === "values") return [value];
  return [
    value,
    {
      id: `${id}/gradient`,
      needs: [...new Set<Capability>(["valueAndGrad", ...needs])],
      async run(k) {
        for (const { what, inputs, call, result, gradients = [] } of trials()) {
          const weights = upstream(result.shape);
          const { grads } = k.valueAndGrad(
            (...xs) => k.sum(k.mul(call(k, ...xs), k.fromArray(weights.data, weights.shape))),
            inputs.map((x) => k.fromArray(x.data, x.shape)),
          );
          if (grads.length !== inputs.length)
            throw new Error(`${what}: expected ${inputs.length} gradients, got ${grads.length}`);
          for (const [i, gradient] of gradients.entries())
            await expectValues(
              k,
              `${what}: gradient ${i}`,
              grads[i] as (typeof grads)[0],
              gradient,
            );
        }
      },
    },
  ];
}

/** A call that has to be refused with a given code. */
export function refuses(
  id: string,
  code: TensorErrorCode,
  call: <T>(adapter: TensorAdapter<T>) => unknown,
  needs: readonly Capability[] = [],
): ConformanceCase[] {
  return refusesEach(id, [[id, code, call]], needs);
}

/** Calls that have to be refused, each with a code, in one case.
 *  @param mention what every message has to contain, such as the function's name */
export function refusesEach(
  id: string,
  calls: readonly (readonly [
    what: string,
    code: TensorErrorCode,
    call: <T>(adapter: TensorAdapter<T>) => unknown,
  ])[],
  needs: readonly Capability[] = [],
  mention = "",
): ConformanceCase[] {
  return [
    {
      id,
      needs,
      run(k) {
        for (const [what, code, call] of calls) {
          const problem = refusalProblem(what, code, mention, () => call(k));
          if (problem !== undefined) return Promise.reject(problem);
        }
        return Promise.resolve();
      },
    },
  ];
}

function refusalProblem(
  what: string,
  code: TensorErrorCode,
  mention: string,
  call: () => unknown,
): Error | undefined {
  try {
    call();
  } catch (error) {
    const got = error as { name?: unknown; code?: unknown; message?: unknown };
    if (got.name === "LejepaError" && got.code === code) {
      if (String(got.message).includes(mention)) return undefined;
      return new Error(`${what}: the message should name ${mention}, got "${String(got.message)}"`);
    }
    // A capability that is missing is told apart by the runner.
    if (got.code === "unsupported") return error as Error;
    return new Error(`${what}: expected a LejepaError "${code}", got ${String(error)}`);
  }
  return new Error(`${what}: expected a LejepaError "${code}", but the call returned`);
}

/** Compares shape and values. The tolerance is a few roundings of the adapter's precision. */
export async function expectValues<T>(
  k: TensorAdapter<T>,
  what: string,
  x: T,
  expected: Values,
): Promise<void> {
  const shape = [...k.shape(x)];
  if (shape.join() !== expected.shape.join())
    throw new Error(
      `${what}: expected shape [${expected.shape.join(", ")}], got [${shape.join(", ")}]`,
    );
  compareData(what, await k.read(x), expected.data, rounding(k.precision), expected.terms);
}

function rounding(precision: "float32" | "float64"): number {
  return precision === "float64" ? 1e-13 : 2e-6;
}

/** Compares got[i] / over[i]: numbers that are small but should have all their digits. */
export function compareRatios(
  what: string,
  got: Float32Array | Float64Array,
  over: readonly number[],
  expected: readonly number[],
  precision: "float32" | "float64",
): void {
  const ratios = Array.from(got, (value, i) => value / (over[i] ?? NaN));
  compareData(what, ratios, expected, rounding(precision));
}

/** Compares entry by entry; NaN equals NaN, infinities must agree, the sign of a zero is left open. */
export function compareData(
  what: string,
  got: ArrayLike<number>,
  expected: readonly number[],
  tolerance: number,
  terms: readonly number[] = [],
): void {
  if (got.length !== expected.length)
    throw new Error(`${what}: expected ${expected.length} values, got ${got.length}`);
  for (const [i, value] of expected.entries()) {
    const actual = got[i] as number;
    // Around an infinity the tolerance would be infinite too.
    const near =
      Number.isFinite(value) &&
      Math.abs(actual - value) <= tolerance * Math.max(1, Math.abs(value), terms[i] ?? 0);
    if (!near && !Object.is(actual + 0, value + 0))
      throw new Error(`${what}: entry ${i} should be ${value}, got ${actual}`);
  }
}
