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

/** A call that has to be refused with a given code. */
export function refuses(
  id: string,
  code: TensorErrorCode,
  call: <T>(adapter: TensorAdapter<T>) => unknown,
  needs: readonly Capability[] = [],
): ConformanceCase[] {
  return [
    {
      id,
      needs,
      run(k) {
        const problem = refusalProblem(code, () => call(k));
        return problem === undefined ? Promise.resolve() : Promise.reject(problem);
      },
    },
  ];
}

function refusalProblem(code: TensorErrorCode, call: () => unknown): Error | undefined {
  try {
    call();
  } catch (error) {
    const got = error as { name?: unknown; code?: unknown };
    if (got.name === "LejepaError" && got.code === code) return undefined;
    // A capability that is missing is told apart by the runner.
    if (got.code === "unsupported") return error as Error;
    return new Error(`expected a LejepaError "${code}", got ${String(error)}`);
  }
  return new Error(`expected a LejepaError "${code}", but the call returned`);
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
  compareData(what, await k.read(x), expected.data, rounding(k.precision));
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

/** Compares entry by entry; NaN equals NaN, infinities must agree. */
export function compareData(
  what: string,
  got: ArrayLike<number>,
  expected: readonly number[],
  tolerance: number,
): void {
  if (got.length !== expected.length)
    throw new Error(`${what}: expected ${expected.length} values, got ${got.length}`);
  for (const [i, value] of expected.entries()) {
    const actual = got[i] as number;
    const same =
      Object.is(actual + 0, value + 0) ||
      Math.abs(actual - value) <= tolerance * Math.max(1, Math.abs(value));
    if (!same) throw new Error(`${what}: entry ${i} should be ${value}, got ${actual}`);
  }
}
