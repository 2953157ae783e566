/** @packageDocumentation
 *  SIGReg and the LeJEPA loss, written against the tensor contract of `@lejepa/tensor`. */
export type { CheckedTerm, NotFiniteError } from "./check-finite.js";
export { directions, type DirectionsOptions } from "./directions.js";
export { eppsPulley, type EppsPulleyOptions } from "./epps-pulley.js";
export { lejepaLoss, type LejepaLoss, type LejepaLossOptions } from "./lejepa-loss.js";
export { bhep, type BhepOptions } from "./multivariate/bhep.js";
export { bhepM, type BhepMOptions } from "./multivariate/bhep-m.js";
export { comb, type CombOptions } from "./multivariate/comb.js";
export { henzeVisagie, type HenzeVisagieOptions } from "./multivariate/henze-visagie.js";
export { henzeZirkler } from "./multivariate/henze-zirkler.js";
export type { MultivariateTest } from "./multivariate/multivariate-test.js";
export type { ScaleOption } from "./multivariate/overflow-scale.js";
export type { SigregErrorCode } from "./refuse.js";
export { sigreg, type SigregOptions } from "./sigreg.js";
export { andersonDarling } from "./univariate/anderson-darling.js";
export { cramerVonMises } from "./univariate/cramer-von-mises.js";
export { extendedJarqueBera } from "./univariate/extended-jarque-bera.js";
export { jarqueBera } from "./univariate/jarque-bera.js";
export { logNormCdf } from "./univariate/log-norm-cdf.js";
export { moments, type MomentsOptions } from "./univariate/moments.js";
export {
  nllOrderStatistics,
  type NllOrderStatisticsOptions,
} from "./univariate/nll-order-statistics.js";
export {
  orderStatisticNll,
  type OrderStatisticNllOptions,
} from "./univariate/order-statistic-nll.js";
export { shapiroWilk, type ShapiroWilkOptions } from "./univariate/shapiro-wilk.js";
export type { OrderOption } from "./univariate/sorted-rows.js";
export { vasicekEntropy, type VasicekEntropyOptions } from "./univariate/vasicek-entropy.js";
export { vcreg } from "./univariate/vcreg.js";
export { watson } from "./univariate/watson.js";
export type { UnivariateTest } from "./univariate-test.js";
export {
  lejepaValueAndGrad,
  type LejepaValueAndGrad,
  type LejepaValueAndGradOptions,
} from "./closed-form/lejepa-value-and-grad.js";
export {
  sigregValueAndGrad,
  type SigregValueAndGrad,
  type SigregValueAndGradOptions,
} from "./closed-form/sigreg-value-and-grad.js";
export type { FloatArray } from "./closed-form/sliced-gradient.js";
export {
  closedFormWorkspace,
  type ClosedFormBuffers,
  type ClosedFormWorkspace,
  type ClosedFormWorkspaceOptions,
} from "./closed-form/workspace.js";
