/** tfjs-core's own test cases, run on the lowering of an engine. */
import "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import type { Recorder } from "../../src/capture/recorder.js";
import { loweringTable } from "../../src/kernels/table.js";
import { runTestFiles } from "./bundle.js";
import { collectingJasmine, type Jasmine, type JasmineCase } from "./jasmine.js";
import { MaterialiseBackend, type GraphRunner } from "./materialise-backend.js";

export const backendName = "lejepa-materialise";

/** Whose derivative rules a case runs with; where `@lejepa/ops` has none for a kernel, tfjs-core's stands in. */
export type Gradients = "@lejepa/ops" | "tfjs-core";

/** What a case came to. */
export interface Outcome {
  /** The kernels that it asked for. */
  readonly kernels: readonly string[];
  /** The kernels whose derivative rule it ran. */
  readonly derived: readonly string[];
  /** Whether it asks for something that the engine does without: a kernel with no lowering, or text. */
  readonly refused: boolean;
  /** What kept it from passing. */
  readonly error: string | undefined;
}

export interface TfjsCase {
  /** The test file below tfjs-core's `dist`, without extension. */
  readonly file: string;
  /** Unlike that of any other case. */
  readonly name: string;
  run(gradients: Gradients): Promise<Outcome>;
}

export interface TfjsSuite {
  readonly cases: readonly TfjsCase[];
  /** The kernels that have a derivative rule in each. */
  readonly rules: Readonly<Record<Gradients, ReadonlySet<string>>>;
}

/** Every case of tfjs-core about operations, gradients, optimisers and tensors, for one engine. For the life of the
 *  process. */
export async function tfjsSuite(runner: GraphRunner): Promise<TfjsSuite> {
  const { table } = runner.target;
  const isLowered = (kernel: string): boolean => typeof table[kernel] === "function";
  let backend: MaterialiseBackend | undefined;
  tf.registerBackend(backendName, () => (backend = new MaterialiseBackend(runner)), 0);
  for (const kernelName of Object.keys(table))
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) =>
        (backend as Recorder).record(kernelName, inputs, attrs ?? {}),
    });

  const ours = registeredRules();
  const collected: JasmineCase[] = [];
  let file = "";
  const jasmine = collectingJasmine(collected, () => file);
  // This also registers tfjs-core's rules in place of ours.
  await runTestFiles({
    jasmine,
    jasmineUtil: testEnvironments(jasmine),
    enterFile: (name) => (file = name),
  });
  const theirs = registeredRules();

  const derived = new Set<string>();
  const use = (gradients: Gradients): void => {
    const chosen = gradients === "@lejepa/ops" ? [...theirs, ...ours] : theirs;
    for (const rule of chosen)
      tf.registerGradient({
        ...rule,
        gradFunc: (...given) => {
          derived.add(rule.kernelName);
          return rule.gradFunc(...given);
        },
      });
  };

  const run = async (collectedCase: JasmineCase, gradients: Gradients): Promise<Outcome> => {
    use(gradients);
    derived.clear();
    await tf.setBackend(backendName);
    backend!.start();
    const error = await collectedCase.run().then(
      () => undefined,
      (reason: unknown) => (reason instanceof Error ? reason.message : String(reason)),
    );
    const { kernels, madeText } = backend!;
    const refused = madeText || !kernels.every(isLowered);
    return { kernels, derived: [...derived], refused, error };
  };

  const seen = new Map<string, number>();
  const cases = collected.map((each): TfjsCase => {
    const id = `${each.file}: ${each.name}`;
    const times = (seen.get(id) ?? 0) + 1;
    seen.set(id, times);
    return {
      file: each.file,
      name: times === 1 ? id : `${id} (${times})`,
      run: (gradients) => run(each, gradients),
    };
  });
  const names = (rules: readonly tf.GradConfig[]) => new Set(rules.map((rule) => rule.kernelName));
  return { cases, rules: { "@lejepa/ops": names(ours), "tfjs-core": names(theirs) } };
}

const registeredRules = (): tf.GradConfig[] =>
  Object.keys(loweringTable).flatMap((kernel) => tf.getGradient(kernel) ?? []);

interface Constraints {
  readonly predicate?: (environment: { readonly isDataSync: boolean }) => boolean;
}

/** What tfjs-core's test files import from its jasmine_util, for one environment: this backend in Node. */
function testEnvironments({ describe, beforeAll, beforeEach, afterEach }: Jasmine) {
  const environment = { name: backendName, backendName, isDataSync: true };
  return {
    ALL_ENVS: {},
    NODE_ENVS: {},
    CHROME_ENVS: { predicate: () => false },
    BROWSER_ENVS: { predicate: () => false },
    SYNC_BACKEND_ENVS: { predicate: (each: typeof environment) => each.isDataSync },
    describeWithFlags(
      this: void,
      name: string,
      { predicate }: Constraints,
      body: (given: typeof environment) => void,
    ): void {
      if (predicate && !predicate(environment)) return;
      describe(name, () => {
        beforeAll(async () => {
          tf.engine().reset();
          tf.env().set("IS_TEST", true);
          await tf.setBackend(backendName);
        });
        beforeEach(() => tf.engine().startScope());
        afterEach(() => {
          tf.engine().endScope();
          tf.disposeVariables();
        });
        body(environment);
      });
    },
  };
}
