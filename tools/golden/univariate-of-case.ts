import {
  andersonDarling,
  cramerVonMises,
  eppsPulley,
  extendedJarqueBera,
  jarqueBera,
  moments,
  orderStatisticNll,
  shapiroWilk,
  vasicekEntropy,
  vcreg,
  watson,
  type EppsPulleyOptions,
  type UnivariateTest,
} from "@lejepa/sigreg";
import type { TensorAdapter } from "@lejepa/tensor";
import { unsupported, type CaseOptions } from "./case-options.js";

/** Each test of the files with the public function and options that compute it. An option that is left out has the default
 *  of the files' formulas. A case without `formula` wants the formula of the reference implementation, also where that
 *  differs from the one it cites. */
const tests = {
  EppsPulley: (options) => eppsPulley(eppsPulleyOptions(options)),
  AndersonDarling: (options) => andersonDarling(order(options)),
  CramerVonMises: (options) => cramerVonMises(order(options)),
  Watson: (options) => watson(order(options)),
  VCReg: () => vcreg(),
  JarqueBera: () => jarqueBera(),
  ExtendedJarqueBera: () => extendedJarqueBera(),
  Entropy: (options) =>
    vasicekEntropy({
      reach: options.number("m", 1),
      spacings:
        options.oneOf("method", ["centered", "right"], "centered") === "right"
          ? "right"
          : "centred",
      ends: formula(options, ["vasicek"]) ?? "reference",
      ...order(options),
    }),
  ShapiroWilk: (options) => {
    const expected = options.oneOf("expectation_mode", ["elfving", "blom", "rahman"], "elfving");
    const weights = options.oneOf(
      "covariance_mode",
      ["shapiro_francia", "rahman"],
      "shapiro_francia",
    );
    const corrected = formula(options, ["elfving-1947"]) !== undefined;
    if (corrected && expected !== "elfving") unsupported(`elfving-1947 of ${expected}`);
    return shapiroWilk({
      expected: expected === "elfving" && !corrected ? "elfving-reference" : expected,
      weights: weights === "rahman" ? "rahman" : "shapiro-francia",
      ...order(options),
    });
  },
  Moments: (options) => moments({ order: options.number("k_max", 4) }),
} satisfies Record<string, (options: CaseOptions) => UnivariateTest>;

/** The names that {@link univariateOf} knows. */
export const univariateNames = Object.keys(tests) as (keyof typeof tests)[];

/** The public test of that name with the options of the case. */
export function univariateOf(name: keyof typeof tests, options: CaseOptions): UnivariateTest {
  return tests[name](options);
}

/** The losses of the test "NLL", one for each sample. */
export function sampleLossesOf(options: CaseOptions): <T>(k: TensorAdapter<T>, x: T) => T {
  return orderStatisticNll({
    alpha: options.number("alpha", 0.5),
    inside: "nan",
    rank: options.has("k") ? options.number("k") : undefined,
    among: options.has("N") ? options.number("N") : undefined,
  });
}

/** How a case computes the Epps-Pulley integral: `form` is the rule, [-5, 5] being the paper's. */
export function eppsPulleyOptions(options: CaseOptions): EppsPulleyOptions {
  const integration = options.has("integration")
    ? options.oneOf("integration", ["trapezoid", "simpson", "gauss-hermite"])
    : undefined;
  const points = options.has("n_points") ? options.number("n_points") : undefined;
  const form = options.has("form")
    ? options.oneOf("form", ["half-range", "full-range", "paper", "exact-integral"])
    : undefined;
  if (form === "exact-integral") return { rule: "exact", integration, points };
  const tMax = options.has("t_max") ? options.number("t_max") : undefined;
  const rule = form === "paper" ? "full-range" : form;
  if (options.has("t_min")) {
    const [from, wanted] = [options.number("t_min"), rule === "full-range" ? -(tMax ?? 5) : 0];
    if (from !== wanted) unsupported(`t_min = ${from} instead of ${wanted}`);
  }
  return { integration, points, rule, tMax };
}

function order(options: CaseOptions): { order: "any" | "ascending" } {
  return { order: options.has("sorted") && options.flag("sorted") ? "ascending" : "any" };
}

function formula<Word extends string>(
  options: CaseOptions,
  words: readonly Word[],
): Word | undefined {
  return options.has("formula") ? options.oneOf("formula", words) : undefined;
}
