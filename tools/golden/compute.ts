import { eppsPulley, lejepaLoss, logNormCdf, sigreg } from "@lejepa/sigreg";
import type { TensorAdapter } from "@lejepa/tensor";
import type { Computed, Outputs } from "./compare.js";
import type { GoldenCase } from "./golden-file.js";
import { CaseOptions, unsupported } from "./case-options.js";
import { multivariateNames, multivariateOf, scaledNames } from "./multivariate-of-case.js";
import { trainingTrace } from "./training-trace.js";
import {
  eppsPulleyOptions,
  sampleLossesOf,
  univariateNames,
  univariateOf,
} from "./univariate-of-case.js";

/** Named tensors of a case. */
type Named<T> = Readonly<Record<string, T>>;

/** Outputs of a case from its inputs, in calls of the published packages. */
type Formula = <T>(adapter: TensorAdapter<T>, inputs: Named<T>) => Named<T>;

/** Layouts of x that the tests know. */
const layouts = ["N", "...,N,K", "...,N,D"];

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
  const outputs = await outputsOf(adapter, golden, formulaOf(golden, options, "linear"));
  const overflows = Object.values({ ...outputs.values, ...outputs.gradients }).some(
    ({ data }) => !Array.from(data).every(Number.isFinite),
  );
  const name = golden.options["test"];
  if (!overflows || adapter.precision === "float64" || !scaledNames.includes(String(name)))
    return outputs;
  // The number itself is not in the range of float32; its logarithm is.
  const logarithm = formulaOf(golden, new CaseOptions(golden.options), "log");
  return fromLogScale(await outputsOf(adapter, golden, logarithm));
}

async function outputsOf<T>(
  adapter: TensorAdapter<T>,
  golden: GoldenCase,
  formula: Formula,
): Promise<Outputs> {
  const { gradient } = golden;
  const { values, grads } = adapter.scope(() => {
    const inputs = mapValues(golden.inputs, ({ data, shape }) => adapter.fromArray(data, shape));
    return {
      values: formula(adapter, inputs),
      grads: gradient === undefined ? {} : gradients(adapter, formula, inputs, gradient),
    };
  });
  return { values: await readAll(adapter, values), gradients: await readAll(adapter, grads) };
}

/** From y = sign(S) log(1 + |S|), a scalar, and its gradient: S and its gradient, exp(|y|) times that of y. */
function fromLogScale({ values, gradients: slopes }: Outputs): Outputs {
  const y = values["value"]?.data[0] ?? NaN;
  if (values["value"]?.shape.length !== 0)
    unsupported("a statistic of several sets that overflows");
  const value = { shape: [], data: [Math.sign(y) * Math.expm1(Math.abs(y))] };
  const gradients = mapValues(slopes, ({ shape, data }) => ({
    shape,
    data: Array.from(data, (slope) => slope * Math.exp(Math.abs(y))),
  }));
  return { values: { value }, gradients };
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
    // A plain name is a single number, of shape [] or [1] or [1, 1].
    if (parsed["plain"] !== undefined && k.shape(output).some((size) => size !== 1))
      unsupported(`the gradient of "${gradient.of}" of shape [${k.shape(output).join(", ")}]`);
    return k.sum(output);
  }, points);
  return Object.fromEntries(names.map((input, i) => [input, grads[i] as T]));
}

/** Which function of the packages the case is about. */
function formulaOf(golden: GoldenCase, options: CaseOptions, scale: "linear" | "log"): Formula {
  if ("proj" in golden.inputs) return lossFormula(golden, options);
  if (options.has("univariate")) return sigregFormula(golden, options);
  if (options.has("function")) return functionFormula(options);
  if (options.has("test")) return testFormula(golden, options, scale);
  unsupported(`a case with options ${Object.keys(golden.options).join(", ")}`);
}

function functionFormula(options: CaseOptions): Formula {
  const name = options.oneOf("function", ["log Phi(x)"]);
  options.finish(name);
  return (k, inputs) => ({ value: logNormCdf(k, named("input", inputs, "x")) });
}

function testFormula(golden: GoldenCase, options: CaseOptions, scale: "linear" | "log"): Formula {
  const name = options.oneOf("test", [...univariateNames, "NLL", ...multivariateNames]);
  options.layout("layout", golden.inputs["x"], layouts);
  if (name === "EppsPulley") return eppsPulleyFormula(golden, options);
  const test = includes(univariateNames, name)
    ? univariateOf(name, options)
    : includes(multivariateNames, name)
      ? multivariateOf(name, options, scale)
      : sampleLossesOf(options);
  options.finish(name);
  return (k, inputs) => ({ value: test(k, named("input", inputs, "x")) });
}

function eppsPulleyFormula(golden: GoldenCase, options: CaseOptions): Formula {
  options.describes("formula", "upstream_call");
  const test = eppsPulley(eppsPulleyOptions(options));
  const isExact = golden.options["form"] === "exact-integral";
  options.finish("EppsPulley");
  // The exact integral is stored as a multivariate statistic of one-dimensional samples, [N, 1] -> [].
  const oneColumn = isExact && golden.values["value"]?.shape.length === 0;
  return (k, inputs) => {
    const x = named("input", inputs, "x");
    return { value: test(k, oneColumn ? k.reshape(x, [k.shape(x)[0] ?? 0]) : x) };
  };
}

function sigregFormula(golden: GoldenCase, options: CaseOptions): Formula {
  const name = options.oneOf("univariate", univariateNames);
  options.layout("layout", golden.inputs["x"], ["...,N,D"]);
  options.layout("directions_layout", golden.inputs["directions"], ["D,S"]);
  const reduction = options.oneOf("reduction", ["mean", "sum", "none"]);
  const clip = options.has("clip_value") ? options.number("clip_value") : undefined;
  const test = univariateOf(name, options);
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
  const lossOptions = {
    lambda: options.number("lambda"),
    target,
    globalViews: options.has("n_global") ? options.number("n_global") : undefined,
    sigreg: options.oneOf("sigreg", ["per_view", "pooled"]) === "pooled" ? "pooled" : "per-view",
    combine: options.oneOf("combine", ["convex", "additive"]),
    ...eppsPulleyOptions(options),
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

function includes<Word extends string>(words: readonly Word[], word: string): word is Word {
  return (words as readonly string[]).includes(word);
}

function mapValues<A, B>(from: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, f(value)]));
}
