/** @packageDocumentation
 *  SIGReg and the LeJEPA loss, written against the tensor contract of `@lejepa/tensor`. */
export type { CheckedTerm, NotFiniteError } from "./check-finite.js";
export { directions } from "./directions.js";
export { eppsPulley, type EppsPulleyOptions } from "./epps-pulley.js";
export { lejepaLoss, type LejepaLoss, type LejepaLossOptions } from "./lejepa-loss.js";
export type { SigregErrorCode } from "./refuse.js";
export { sigreg, type SigregOptions } from "./sigreg.js";
export type { UnivariateTest } from "./univariate-test.js";
