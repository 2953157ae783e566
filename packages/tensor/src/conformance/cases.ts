import type { ConformanceCase } from "./conformance-case.js";
import { arrangementCases } from "./arrangement-cases.js";
import { axisCases } from "./axis-cases.js";
import { broadcastingCases } from "./broadcasting-cases.js";
import { capabilityCases } from "./capability-cases.js";
import { contractCases } from "./contract-cases.js";
import { elementwiseCases } from "./elementwise-cases.js";
import { gradientCases } from "./gradient-cases.js";
import { inOutCases } from "./in-out-cases.js";
import { layoutCases } from "./layout-cases.js";
import { matrixCases } from "./matrix-cases.js";
import { oneOperandCases } from "./one-operand-cases.js";
import { ownershipCases } from "./ownership-cases.js";
import { productCases } from "./product-cases.js";
import { readingCases } from "./reading-cases.js";
import { reductionCases } from "./reduction-cases.js";
import { refusalCases } from "./refusal-cases.js";
import { scopeCases } from "./scope-cases.js";

/** One example of each promise, in the order of the contract. */
export const exampleCases: readonly ConformanceCase[] = [
  ...contractCases,
  ...inOutCases,
  ...elementwiseCases,
  ...reductionCases,
  ...matrixCases,
  ...layoutCases,
  ...capabilityCases,
];

/** Each function over ranks, axes, repetitions and kinds of values; who owns what; what is refused. */
export const sweepCases: readonly ConformanceCase[] = [
  ...readingCases,
  ...scopeCases,
  ...broadcastingCases,
  ...oneOperandCases,
  ...axisCases,
  ...productCases,
  ...arrangementCases,
  ...gradientCases,
  ...ownershipCases,
  ...refusalCases,
];

/** Every promise of the contract that is checked. */
export const conformanceCases: readonly ConformanceCase[] = [...exampleCases, ...sweepCases];
