import type { Capability, TensorAdapter } from "./contract.js";
import { LejepaError } from "./error.js";
import { said } from "./said.js";

/** What a parameter of the contract may be. */
type Kind =
  | "tensor"
  | "operand"
  | "tensors"
  | "sizes"
  | "values"
  | "number"
  | "function"
  | "rule"
  | "axes?"
  | "dims?"
  | "options?";

/** The parameters of every method of the contract, in order: a method without a row does not compile. */
const parameters: Readonly<
  Record<MethodName<TensorAdapter<unknown>>, readonly (readonly [name: string, kind: Kind])[]>
> = {
  fromArray: [
    ["data", "values"],
    ["shape", "sizes"],
  ],
  fill: [
    ["shape", "sizes"],
    ["value", "number"],
  ],
  read: [["x", "tensor"]],
  readSync: [["x", "tensor"]],
  shape: [["x", "tensor"]],
  add: operands(),
  sub: operands(),
  mul: operands(),
  div: operands(),
  maximum: operands(),
  minimum: operands(),
  greaterEqual: operands(),
  where: [["mask", "tensor"], ...operands()],
  neg: [["x", "tensor"]],
  abs: [["x", "tensor"]],
  square: [["x", "tensor"]],
  exp: [["x", "tensor"]],
  log: [["x", "tensor"]],
  sqrt: [["x", "tensor"]],
  sin: [["x", "tensor"]],
  cos: [["x", "tensor"]],
  tanh: [["x", "tensor"]],
  sum: reduced(),
  mean: reduced(),
  max: reduced(),
  min: reduced(),
  matMul: [
    ["a", "tensor"],
    ["b", "tensor"],
    ["options", "options?"],
  ],
  reshape: [
    ["x", "tensor"],
    ["shape", "sizes"],
  ],
  transpose: [
    ["x", "tensor"],
    ["permutation", "axes?"],
  ],
  slice: [
    ["x", "tensor"],
    ["begin", "sizes"],
    ["size", "sizes"],
  ],
  concat: [
    ["tensors", "tensors"],
    ["axis", "number"],
  ],
  gather: [
    ["x", "tensor"],
    ["indices", "values"],
    ["axis", "number"],
  ],
  scope: [["body", "function"]],
  dispose: [["x", "tensor"]],
  valueAndGrad: [
    ["f", "function"],
    ["inputs", "tensors"],
  ],
  customGradient: [
    ["rule", "rule"],
    ["inputs", "tensors"],
  ],
  sort: [
    ["x", "tensor"],
    ["axis", "number"],
  ],
  allReduceMean: [["x", "tensor"]],
  characteristicMeans: [
    ["x", "tensor"],
    ["step", "number"],
    ["harmonics", "sizes"],
  ],
};

type MethodName<A> = {
  [Name in keyof A]-?: NonNullable<A[Name]> extends (...args: never[]) => unknown ? Name : never;
}[keyof A];

function operands(): readonly (readonly [string, Kind])[] {
  return [
    ["a", "operand"],
    ["b", "operand"],
  ];
}

function reduced(): readonly (readonly [string, Kind])[] {
  return [
    ["x", "tensor"],
    ["axes", "axes?"],
    ["dims", "dims?"],
  ];
}

/** The same adapter, which refuses arguments of the wrong kind with `invalid-argument`. For callers that no compiler checks:
 *  a framework's own answer to what is no tensor has no code and does not name the method.
 *  @param isTensor Whether a value is a tensor of the framework. */
export function checkedAdapter<T>(
  adapter: TensorAdapter<T>,
  isTensor: (value: unknown) => boolean,
): TensorAdapter<T> {
  const isNumbers = (value: unknown): boolean =>
    Array.isArray(value) && [...(value as unknown[])].every((each) => typeof each === "number");
  // The contract takes whatever has a length and numbers by index.
  const isNumbersByIndex = (value: unknown): boolean => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
    const { length } = value as { readonly length?: unknown };
    return (
      Number.isSafeInteger(length) &&
      (length as number) >= 0 &&
      (length as number) < 2 ** 32 &&
      isNumbers(Array.from(value as ArrayLike<unknown>))
    );
  };
  const kinds: Readonly<Record<Kind, readonly [string, (value: unknown) => boolean]>> = {
    tensor: [`a tensor of ${adapter.name}`, isTensor],
    operand: [
      `a tensor of ${adapter.name} or a number`,
      (value) => typeof value === "number" || isTensor(value),
    ],
    tensors: [
      `an array of tensors of ${adapter.name}`,
      (value) => Array.isArray(value) && [...(value as unknown[])].every(isTensor),
    ],
    sizes: ["an array of numbers", isNumbers],
    values: [
      "an array of numbers or a typed array",
      (value) =>
        isNumbers(value) ||
        isNumbersByIndex(value) ||
        (ArrayBuffer.isView(value) &&
          typeof ((value as unknown as readonly unknown[])[0] ?? 0) === "number" &&
          !(value instanceof DataView)),
    ],
    number: ["a number", (value) => typeof value === "number"],
    function: ["a function", (value) => typeof value === "function"],
    rule: [
      "an object with the functions forward and backward",
      (value) => {
        const { forward, backward } = (value ?? {}) as Readonly<Record<string, unknown>>;
        return typeof forward === "function" && typeof backward === "function";
      },
    ],
    "axes?": [
      "an array of numbers, or left out",
      (value) => value === undefined || isNumbers(value),
    ],
    "dims?": [
      '"keep" or "drop", or left out',
      (value) => value === undefined || value === "keep" || value === "drop",
    ],
    "options?": [
      "an object with transposeA and transposeB, true or false, or left out",
      (value) => value === undefined || isTransposing(value),
    ],
  };
  const own = adapter as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>;
  const checked = Object.entries(parameters).map(([method, rules]) => {
    const run = own[method]!;
    // What is not there refuses whatever it is given.
    const isLacking = isCapability(method) && !adapter.capabilities.includes(method);
    if (isLacking) return [method, run];
    const call = (...args: unknown[]): unknown => {
      for (let at = 0; at < rules.length; at++) {
        const [name, kind] = rules[at]!;
        const [expected, accepts] = kinds[kind];
        if (!accepts(args[at]))
          throw new LejepaError(
            "invalid-argument",
            `${method}: ${name} should be ${expected}, got ${said(args[at])}.`,
          );
      }
      return run(...args);
    };
    // A promise tells of its errors when it is awaited.
    return [method, method === "read" ? async (x: unknown) => await call(x) : call];
  });
  const methods = Object.fromEntries(checked) as Partial<TensorAdapter<T>>;

  /** What a function of the caller's returned. */
  const returned = <R>(method: string, what: string, value: R, kind: Kind): R => {
    const [expected, accepts] = kinds[kind];
    if (accepts(value)) return value;
    throw new LejepaError(
      "invalid-argument",
      `${method}: ${what} should return ${expected}, got ${said(value)}.`,
    );
  };
  return {
    ...adapter,
    ...methods,
    valueAndGrad: (f, inputs) =>
      methods.valueAndGrad!(
        typeof f === "function"
          ? (...given) => returned("valueAndGrad", "f", f(...given), "tensor")
          : f,
        inputs,
      ),
    customGradient: (rule, inputs) =>
      methods.customGradient!(
        kinds.rule[1](rule)
          ? {
              forward: (given) => {
                const result = rule.forward(given);
                const { value, saved } = result ?? {};
                returned("customGradient", "forward, as value,", value, "tensor");
                returned("customGradient", "forward, as saved,", saved, "tensors");
                return result;
              },
              backward: (cotangent, saved) =>
                returned("customGradient", "backward", rule.backward(cotangent, saved), "tensors"),
            }
          : rule,
        inputs,
      ),
  };
}

function isTransposing(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const known = ["transposeA", "transposeB"];
  return Object.entries(value).every(
    ([name, one]) => known.includes(name) && (one === undefined || typeof one === "boolean"),
  );
}

const capabilities: Readonly<Record<Capability, true>> = {
  readSync: true,
  valueAndGrad: true,
  customGradient: true,
  sort: true,
  allReduceMean: true,
  characteristicMeans: true,
};

const isCapability = (method: string): method is Capability => Object.hasOwn(capabilities, method);
