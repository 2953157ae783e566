/** Started by check-pool.ts: makes and checks programs in a process of its own, because an engine may take its process
 *  along. Takes one request at a time and says which engine it turns to before it does. */
import type { Engine } from "@lejepa/engine";
import type { Program } from "./program.js";
import type { FoundValue } from "./found-values.js";
import type { Outcome, Verdict } from "./judge.js";
import type { GenerateOptions } from "./generate.js";
import { targets, type TargetName } from "./targets.js";

/** What it is asked for. */
export type Request =
  | { readonly kind: "generate"; readonly seed: number; readonly options?: GenerateOptions }
  | { readonly kind: "check"; readonly program: Program; readonly targets: readonly TargetName[] }
  | { readonly kind: "values"; readonly program: Program };

/** What it answers. */
export type Answer =
  | { readonly kind: "starts"; readonly target: TargetName }
  | { readonly kind: "generated"; readonly program: Program }
  | { readonly kind: "checked"; readonly verdicts: Readonly<Partial<Record<TargetName, Verdict>>> }
  /** Undefined where tfjs refuses an operation. */
  | { readonly kind: "values"; readonly values: readonly FoundValue[] | undefined }
  | { readonly kind: "failed"; readonly message: string };

const [, , gradients, fault] = process.argv;
// Rules that are there first stay.
if (gradients === "tfjs") await import("@tensorflow/tfjs");
await import("@tensorflow/tfjs-backend-cpu");
const tf = await import("@tensorflow/tfjs-core");
const { createEngine } = await import("@lejepa/engine");
const { foundValues } = await import("./found-values.js");
const { generate } = await import("./generate.js");
const { noisyBackend, registerNoisyBackend, seedNoise, moved } = await import("./noisy-backend.js");
const { stepOf } = await import("./run-source.js");
const { inputsOf, specOf } = await import("./program.js");
const { judge } = await import("./judge.js");
if (fault !== undefined) (await import("./planted-faults.js")).plant(fault);

const engines = new Map<string, Promise<Engine>>();
const engineOf = (name: string, create: () => Promise<Engine>): Promise<Engine> => {
  const engine = engines.get(name) ?? create();
  engines.set(name, engine);
  return engine;
};

// The engine corrects kernels of the backend, which noise is added to behind.
const eager = await createEngine("eager", { backend: "cpu" });
registerNoisyBackend();

/** How often eager runs with noise, and how often before a number is called wrong. */
const noisyRuns = 4;
const moreNoisyRuns = 40;

/** Runs a program to its end.
 *  @param move what becomes of the numbers that go in */
async function run(
  program: Program,
  engine: Engine,
  move?: (data: Float32Array) => Float32Array,
): Promise<Outcome> {
  const spec = specOf(program);
  const perturbed = <A extends Float32Array | Int32Array>(data: A): A =>
    move && data instanceof Float32Array ? (move(data) as A) : data;
  for (const tensor of Object.values(spec.state)) tensor.data = perturbed(tensor.data);
  try {
    const compiled = await engine.compile(stepOf(program), spec);
    try {
      const numbers = [];
      for (let i = 0; i < program.runs; i++) {
        const inputs = Object.entries(inputsOf(program, i));
        numbers.push(
          await compiled.run(
            Object.fromEntries(inputs.map(([name, data]) => [name, perturbed(data)])),
          ),
        );
      }
      numbers.push(await compiled.readState());
      return { numbers };
    } finally {
      await compiled.dispose();
    }
  } catch (error) {
    const { name, code, message } = error as { name: string; code: unknown; message: string };
    return { error: { name, code, message } };
  }
}

async function check(program: Program, names: readonly TargetName[]) {
  const wanted = await run(program, eager);
  const noisy: Outcome[] = [];
  const noisyEngine = await engineOf(noisyBackend, () =>
    createEngine("eager", { backend: noisyBackend }),
  );
  const addNoisyRuns = async (upTo: number): Promise<void> => {
    for (let i = noisy.length; i < upTo; i++) {
      seedNoise(`${program.seed} ${i}`);
      const outcome = await run(program, noisyEngine, (data) => data.map(moved));
      // Without noise nothing would be found wrong.
      if ("error" in outcome && "numbers" in wanted)
        throw new Error(`Eager with noise fails where eager does not: ${outcome.error.message}`);
      noisy.push(outcome);
    }
  };
  await addNoisyRuns(noisyRuns);
  const verdicts: Partial<Record<TargetName, Verdict>> = {};
  for (const target of names) {
    answer({ kind: "starts", target });
    const { engine, options } = targets[target];
    const got = await run(program, await engineOf(target, () => createEngine(engine, options)));
    let verdict = judge(program, wanted, noisy, got);
    // A few runs may miss what rounding does now and then.
    if (verdict.kind === "wrong number" && noisy.length < moreNoisyRuns) {
      await addNoisyRuns(moreNoisyRuns);
      verdict = judge(program, wanted, noisy, got);
    }
    verdicts[target] = verdict;
  }
  return verdicts;
}

const answer = (message: Answer): void => void process.send!(message);

async function answerTo(request: Request): Promise<Answer> {
  await tf.setBackend("cpu");
  switch (request.kind) {
    case "generate":
      return { kind: "generated", program: generate(request.seed, request.options) };
    case "check":
      return { kind: "checked", verdicts: await check(request.program, request.targets) };
    case "values":
      return { kind: "values", values: foundValues(request.program) };
  }
}

process.on("message", (request: Request) => {
  answerTo(request).then(answer, (error: unknown) =>
    answer({
      kind: "failed",
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  );
});
// The parent went away.
process.on("disconnect", () => process.exit());
