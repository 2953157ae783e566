/** Runs the conformance cases on one mutant after another, in a thread that can be ended when a mutant does not end. */
import { readFileSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import ts from "typescript";
import { conformanceCases } from "../../packages/tensor/src/conformance/cases.js";
import { runConformance } from "../../packages/tensor/src/conformance/run-conformance.js";
import type { Float64Tensor } from "../../packages/tensor/src/float64.js";
import type { TensorAdapter } from "../../packages/tensor/src/index.js";
import type * as shapes from "../../packages/tensor/src/shapes.js";
import { loneAdapter, strict, wholeAdapter } from "../../packages/tensor/test/whole-adapter.js";
import { mutatedFolder } from "./mutated-files.js";

/** A mutant to run. */
export interface Job {
  readonly file: string;
  readonly text: string;
}

const compile = (text: string): string =>
  ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  }).outputText;

const compiled = new Map<string, string>();

/** A file as it is. */
function unchanged(file: string): string {
  const code = compiled.get(file) ?? compile(readFileSync(`${mutatedFolder}/${file}`, "utf8"));
  compiled.set(file, code);
  return code;
}

type Adapter = TensorAdapter<Float64Tensor>;

/** The adapter of the files, one of them changed, and the same with the capabilities that it lacks. */
function load(changed: Job): { plain: Adapter; whole: Adapter } {
  const modules = new Map<string, Record<string, unknown>>();
  const load = (path: string): Record<string, unknown> => {
    const file = path.replace("./", "").replace(".js", ".ts");
    const known = modules.get(file);
    if (known) return known;
    const exports: Record<string, unknown> = {};
    modules.set(file, exports);
    const code = file === changed.file ? compile(changed.text) : unchanged(file);
    // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- the mutant is code that this tool made
    new Function("exports", "require", code)(exports, load);
    return exports;
  };
  const k = (load("./float64.js")["float64Adapter"] as () => Adapter)();
  const { checkHarmonics } = load("./shapes.js") as typeof shapes;
  return { plain: strict(k), whole: strict(loneAdapter(wholeAdapter(k, checkHarmonics))) };
}

/** The first case that the mutant fails, or nothing. */
async function noticedBy(job: Job): Promise<string | undefined> {
  let adapters: ReturnType<typeof load>;
  try {
    adapters = load(job);
  } catch (error) {
    return `it does not load: ${String(error)}`;
  }
  for (const one of conformanceCases) {
    const lacks = one.needs.some((name) => !adapters.plain.capabilities.includes(name));
    for (const adapter of lacks ? [adapters.plain, adapters.whole] : [adapters.plain]) {
      const { results } = await runConformance(adapter, [one]);
      if (results[0]?.status === "failed") return one.id;
    }
  }
  return undefined;
}

parentPort!.on("message", (job: Job) => {
  void noticedBy(job).then((id) => parentPort!.postMessage({ noticedBy: id }));
});
