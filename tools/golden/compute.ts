import { eppsPulley, lejepaLoss, sigreg, type EppsPulleyOptions } from "@lejepa/sigreg";
import type { TensorAdapter } from "@lejepa/tensor";
import type { Computed, Outputs } from "./compare.js";
import type { GoldenCase } from "./golden-file.js";
import { CaseOptions, unsupported } from "./case-options.js";
import { trainingTrace } from "./training-trace.js";

/** Named tensors of a case. */
type Named<T> = Readonly<Record<string, T>>;

/** Outputs of a case from its inputs, in calls of the published packages. */
type Formula = <T>(adapter: TensorAdapter<T>, inputs: Named<T>) => Named<T>;

/** Computes a case on an adapter: its values, and the gradients that it expects.
 *  Throws an Error that says why when the case asks for what is not built. */
export async function computeCase<T>(
  adapter: TensorAdapter<T>,
  golden: GoldenCase,
): Promise<Outputs> {
  for (const [name, input] of Object.entries(golden.inputs))
    if (input.index !== undefined) throw new Error(`input ${name} is not complete`);
  const options = new CaseOptions(golden.options);
  if (options.has("model")) {
    if (golden.gradient !== undefined) unsupported("gradients of a training trace");
    return { values: await trainingTrace(adapter, golden.inputs, options), gradients: {} };
  }
  const formula = formulaOf(golden, options);
  const { gradient } = golden;
  const { values, grads } = adapter.scope(() => {
    const inputs = mapValues(golden.inputs, ({ data, shape }) => adapter.fromArray(data, shape));
    const outputs = formula(adapter, inputs);
    return {
      values: outputs,
      grads: gradient === undefined ? {} : gradients(adapter, formula, inputs, gradient),
    };
  });
  return { values: await readAll(adapter, values), gradients: await readAll(adapter, grads) };
}

/** Gradients of `of` ("value", "sum(value)" or "sum(value * cotangent)") with respect to the named inputs. */
function gradients<T>(
  k: TensorAdapter<T>,
  formula: Formula,
  inputs: Named<T>,
  gradient: NonNullable<GoldenCase["gradient"]>,
): Named<T> {
  const parsed = /^(?<plain>\w+)$|^sum\((?<summed>\w+)(?: \* (?<weights>\w+))?\)$/.exec(
    gradient.of,
  )?.groups;
  if (parsed === undefined) unsupported(`the gradient of "${gradient.of}"`);
  const name = parsed["plain"] ?? parsed["summed"] ?? "";
  const weights = parsed["weights"];
  const names = Object.keys(gradient.byInput);
  const points = names.map((input) => named("input", inputs, input));
  const { grads } = k.valueAndGrad((...xs) => {
    const replaced = Object.fromEntries(names.map((input, i) => [input, xs[i] as T]));
    const output = named("output", formula(k, { ...inputs, ...replaced }), name);
    if (weights !== undefined) return k.sum(k.mul(output, named("input", inputs, weights)));
    return parsed["summed"] === undefined ? output : k.sum(output);
  }, points);
  return Object.fromEntries(names.map((input, i) => [input, grads[i] as T]));
}

/** Which function of the packages the case is about. */
function formulaOf(golden: GoldenCase, options: CaseOptions): Formula {
  if ("proj" in golden.inputs) return lossFormula(golden, options);
  if (options.has("univariate")) return sigregFormula(golden, options);
  if (options.has("test")) return univariateFormula(golden, options);
  unsupported(`a case with options ${Object.keys(golden.options).join(", ")}`);
}

function univariateFormula(golden: GoldenCase, options: CaseOptions): Formula {
  const name = options.oneOf("test", ["EppsPulley"]);
  options.describes("formula", "upstream_call");
  options.layout("layout", golden.inputs["x"], ["N", "N,K", "V,N,K"]);
  const form = options.has("form")
    ? options.oneOf("form", ["paper", "exact-integral"])
    : "half-range";
  const test = eppsPulley(
    form === "exact-integral" ? { rule: "exact" } : eppsPulleyOptions(options, form),
  );
  options.finish(name);
  // The exact integral is stored as a multivariate statistic of one-dimensional samples, [N, 1] -> [].
  const oneColumn = form === "exact-integral" && golden.values["value"]?.shape.length === 0;
  return (k, inputs) => {
    const x = named("input", inputs, "x");
    return { value: test(k, oneColumn ? k.reshape(x, [k.shape(x)[0] ?? 0]) : x) };
  };
}

function sigregFormula(golden: GoldenCase, options: CaseOptions): Formula {
  const name = options.oneOf("univariate", ["EppsPulley"]);
  options.layout("layout", golden.inputs["x"], ["N,D", "V,N,D"]);
  options.layout("directions_layout", golden.inputs["directions"], ["D,S"]);
  const reduction = options.oneOf("reduction", ["mean", "sum", "none"]);
  const clip = options.has("clip_value") ? options.number("clip_value") : undefined;
  const test = eppsPulley(eppsPulleyOptions(options, "half-range"));
  options.finish(`SIGReg with ${name}`);
  return (k, inputs) => ({
    value: sigreg(k, named("input", inputs, "x"), named("input", inputs, "directions"), {
      test,
      reduction,
      clip,
    }),
  });
}

function lossFormula(golden: GoldenCase, options: CaseOptions): Formula {
  options.layout("layout", golden.inputs["proj"], ["V,N,D"]);
  options.layout("directions_layout", golden.inputs["directions"], ["D,S"]);
  const target = options.oneOf("target", ["all", "global"]);
  const form = options.has("form") ? options.oneOf("form", ["paper"]) : "half-range";
  const lossOptions = {
    lambda: options.number("lambda"),
    target,
    globalViews: options.has("n_global") ? options.number("n_global") : undefined,
    sigreg: options.oneOf("sigreg", ["per_view", "pooled"]) === "pooled" ? "pooled" : "per-view",
    combine: options.oneOf("combine", ["convex", "additive"]),
    ...eppsPulleyOptions(options, form),
  } as const;
  options.finish("the loss");
  return (k, inputs) => {
    const {
      loss,
      prediction,
      sigreg: gaussianity,
    } = lejepaLoss(
      k,
      named("input", inputs, "proj"),
      named("input", inputs, "directions"),
      lossOptions,
    );
    return { total: loss, pred: prediction, sigreg: gaussianity };
  };
}

function eppsPulleyOptions(options: CaseOptions, form: "paper" | "half-range"): EppsPulleyOptions {
  const tMax = options.number("t_max");
  if (options.has("t_min") && (form !== "paper" || options.number("t_min") !== -tMax))
    unsupported("t_min other than -t_max of the paper's form");
  return {
    tMax,
    points: options.number("n_points"),
    rule: form === "paper" ? "full-range" : "half-range",
  };
}

async function readAll<T>(
  k: TensorAdapter<T>,
  tensors: Named<T>,
): Promise<Record<string, Computed>> {
  const read = Object.entries(tensors).map(
    async ([name, x]) => [name, { shape: k.shape(x), data: await k.read(x) }] as const,
  );
  const computed = Object.fromEntries(await Promise.all(read));
  Object.values(tensors).forEach((x) => k.dispose(x));
  return computed;
}

function named<T>(kind: string, tensors: Named<T>, name: string): T {
  if (!(name in tensors)) throw new Error(`there is no ${kind} "${name}"`);
  return tensors[name] as T;
}

function mapValues<A, B>(from: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, f(value)]));
}
