import {
  andersonDarling,
  cramerVonMises,
  eppsPulley,
  extendedJarqueBera,
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

/** Each test of the files with the public function and options that compute it. A case without `formula` wants the formula
 *  of the reference implementation, also where that differs from the one it cites. */
const tests = {
  EppsPulley: (options) => eppsPulley(eppsPulleyOptions(options, "half-range")),
  AndersonDarling: (options) => andersonDarling(order(options)),
  CramerVonMises: (options) => cramerVonMises(order(options)),
  Watson: (options) => watson(order(options)),
  VCReg: () => vcreg(),
  ExtendedJarqueBera: () => extendedJarqueBera(),
  Entropy: (options) =>
    vasicekEntropy({
      reach: options.number("m"),
      spacings: options.oneOf("method", ["centered", "right"]) === "right" ? "right" : "centred",
      ends: formula(options, ["vasicek"]) ?? "reference",
      ...order(options),
    }),
  ShapiroWilk: (options) => {
    const expected = options.oneOf("expectation_mode", ["elfving", "blom", "rahman"]);
    const weights = options.oneOf("covariance_mode", ["shapiro_francia", "rahman"]);
    const corrected = formula(options, ["elfving-1947"]) !== undefined;
    if (corrected && expected !== "elfving") unsupported(`elfving-1947 of ${expected}`);
    return shapiroWilk({
      expected: expected === "elfving" && !corrected ? "elfving-reference" : expected,
      weights: weights === "rahman" ? "rahman" : "shapiro-francia",
      ...order(options),
    });
  },
  Moments: (options) => moments({ order: options.number("k_max") }),
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
    alpha: options.number("alpha"),
    inside: "nan",
    rank: options.has("k") ? options.number("k") : undefined,
    among: options.has("N") ? options.number("N") : undefined,
  });
}

/** The Epps-Pulley integral of a case in one of the files' two forms. */
export function eppsPulleyOptions(
  options: CaseOptions,
  form: "paper" | "half-range",
): EppsPulleyOptions {
  const tMax = options.number("t_max");
  if (options.has("t_min") && (form !== "paper" || options.number("t_min") !== -tMax))
    unsupported("t_min other than -t_max of the paper's form");
  return {
    tMax,
    points: options.number("n_points"),
    rule: form === "paper" ? "full-range" : "half-range",
  };
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
