import {
  bhep,
  bhepM,
  comb,
  henzeVisagie,
  henzeZirkler,
  type MultivariateTest,
} from "@lejepa/sigreg";
import type { CaseOptions } from "./case-options.js";

/** "linear", or "log" where the statistic leaves the range of float32; tests that stay in it have no such option. */
type Scale = "linear" | "log";

/** Each test of the files with the public function and options that compute it. */
const tests = {
  BHEP: (options) => bhep({ beta: options.number("beta", 0.1) }),
  BHEP_M: (options, scale) =>
    bhepM({
      beta: options.number("beta", 10),
      constant: options.has("constant") && options.flag("constant") ? "kept" : "dropped",
      scale,
    }),
  HZ: () => henzeZirkler(),
  HV: (options, scale) => henzeVisagie({ gamma: options.number("gamma", 1), scale }),
  COMB: (options, scale) => comb({ gamma: options.number("gamma", 0.1), scale }),
} satisfies Record<string, (options: CaseOptions, scale: Scale) => MultivariateTest>;

/** The names that {@link multivariateOf} knows. */
export const multivariateNames = Object.keys(tests) as (keyof typeof tests)[];

/** Those that have a log scale. */
export const scaledNames: readonly string[] = ["BHEP_M", "HV", "COMB"];

/** The public test of that name with the options of the case. */
export function multivariateOf(
  name: keyof typeof tests,
  options: CaseOptions,
  scale: Scale,
): MultivariateTest {
  return tests[name](options, scale);
}
