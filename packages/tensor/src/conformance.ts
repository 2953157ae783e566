/** @packageDocumentation
 *  The promises of the contract as cases that any adapter can be run on, with any test framework or none. */
export { conformanceCases } from "./conformance/cases.js";
export type { ConformanceCase } from "./conformance/conformance-case.js";
export {
  runConformance,
  type ConformanceReport,
  type ConformanceResult,
} from "./conformance/run-conformance.js";
