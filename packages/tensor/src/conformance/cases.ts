import type { ConformanceCase } from "./conformance-case.js";
import { capabilityCases } from "./capability-cases.js";
import { contractCases } from "./contract-cases.js";
import { elementwiseCases } from "./elementwise-cases.js";
import { inOutCases } from "./in-out-cases.js";
import { layoutCases } from "./layout-cases.js";
import { matrixCases } from "./matrix-cases.js";
import { reductionCases } from "./reduction-cases.js";

/** Every promise of the contract that is checked, in the order of the contract. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...contractCases,
  ...inOutCases,
  ...elementwiseCases,
  ...reductionCases,
  ...matrixCases,
  ...layoutCases,
  ...capabilityCases,
];
