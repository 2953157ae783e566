import type { Capability, TensorAdapter } from "../contract.js";
import type { ConformanceCase } from "./conformance-case.js";

type Name = keyof TensorAdapter<unknown>;
type Fact = "contractVersion" | "name" | "precision" | "capabilities" | "processes";

/** Every function of the contract: one that is missing here does not compile. */
const functions: Readonly<Record<Exclude<Name, Fact>, true>> = {
  fromArray: true,
  fill: true,
  read: true,
  shape: true,
  add: true,
  sub: true,
  mul: true,
  div: true,
  maximum: true,
  minimum: true,
  greaterEqual: true,
  where: true,
  neg: true,
  abs: true,
  square: true,
  exp: true,
  log: true,
  sqrt: true,
  sin: true,
  cos: true,
  tanh: true,
  sum: true,
  mean: true,
  max: true,
  min: true,
  matMul: true,
  reshape: true,
  transpose: true,
  slice: true,
  concat: true,
  gather: true,
  scope: true,
  dispose: true,
  readSync: true,
  valueAndGrad: true,
  customGradient: true,
  sort: true,
  allReduceMean: true,
  characteristicMeans: true,
};

const capabilities: Readonly<Record<Capability, true>> = {
  readSync: true,
  valueAndGrad: true,
  customGradient: true,
  sort: true,
  allReduceMean: true,
  characteristicMeans: true,
};

const capabilityNames = Object.keys(capabilities) as readonly Capability[];

/** A fact about an adapter itself; `problem` says what is wrong with it, if anything. */
function fact(
  id: string,
  problem: (adapter: Readonly<Partial<Record<Name, unknown>>>) => string | undefined,
): ConformanceCase {
  return {
    id: `contract/${id}`,
    needs: [],
    run(adapter) {
      const found = problem(adapter);
      return found === undefined ? Promise.resolve() : Promise.reject(new Error(found));
    },
  };
}

/** What an adapter says about itself. */
export const contractCases: readonly ConformanceCase[] = [
  fact("version", ({ contractVersion }) =>
    contractVersion === 1
      ? undefined
      : `these are the cases of version 1 of the contract, the adapter is written for ${String(contractVersion)}`,
  ),
  fact("name", ({ name }) =>
    typeof name === "string" && /^[a-z0-9][a-z0-9._-]*$/.test(name)
      ? undefined
      : `the name should be a short word in lower case, got ${JSON.stringify(name)}`,
  ),
  fact("precision", ({ precision }) =>
    precision === "float32" || precision === "float64"
      ? undefined
      : `the precision should be "float32" or "float64", got ${JSON.stringify(precision)}`,
  ),
  fact("capabilities", ({ capabilities: declared }) => {
    if (!Array.isArray(declared)) return "capabilities should be a list of names";
    const wrong: unknown = declared.find(
      (name, i) => !capabilityNames.includes(name as Capability) || declared.indexOf(name) !== i,
    );
    return wrong === undefined
      ? undefined
      : `capabilities names ${JSON.stringify(wrong)}, which is unknown or named before; choose from ${capabilityNames.join(", ")}`;
  }),
  fact("functions", (adapter) => {
    const missing = (Object.keys(functions) as Name[]).filter(
      (name) => typeof adapter[name] !== "function",
    );
    return missing.length === 0 ? undefined : `these functions are missing: ${missing.join(", ")}`;
  }),
  fact("processes", ({ processes, capabilities: declared }) => {
    const averages = Array.isArray(declared) && declared.includes("allReduceMean");
    if (processes === undefined && !averages) return undefined;
    return Number.isInteger(processes) && (processes as number) >= 1
      ? undefined
      : `processes should be an integer of 1 or more wherever allReduceMean works, got ${String(processes)}`;
  }),
];
