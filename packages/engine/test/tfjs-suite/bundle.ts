/** tfjs-core's own test files as one script. They are read from the installed package each time; nothing of them is
 *  kept. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { build } from "vite";

const requireHere = createRequire(import.meta.url);
const tests = requireHere.resolve("@tensorflow/tfjs-core/dist/tests.js");
const folder = dirname(tests);

/** The tests of operations, gradients, optimisers and tensors. The others are about the inside of tfjs-core, its file
 *  formats and the browser. */
const wanted = /^\.\/(ops\/|optimizers\/|gradients_test|tensor_test|variable_test)/;

const entry = "virtual:tfjs-suite";
const utilModule = "virtual:jasmine-util";

/** What the script takes: jasmine's functions by name, and those that tfjs-core's test files import. */
export interface SuiteGlobals {
  readonly jasmine: Readonly<Record<string, unknown>>;
  readonly jasmineUtil: Readonly<Record<string, unknown>>;
  /** Called with the name of each test file before its cases are defined. */
  readonly enterFile: (name: string) => void;
}

/** Runs the test files, which define their cases by the functions given. It also registers tfjs-core's own gradients
 *  and its methods on tensors, which the cases use. */
export async function runTestFiles({
  jasmine,
  jasmineUtil,
  enterFile,
}: SuiteGlobals): Promise<void> {
  const script = await bundle(Object.keys(jasmineUtil));
  const parameters = { ...jasmine, jasmineUtil, enterFile, require: createRequire(tests) };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the script is that of an installed package
  const run = new Function(...Object.keys(parameters), script) as (...given: unknown[]) => void;
  run(...Object.values(parameters));
}

function entrySource(): string {
  const files = [...readFileSync(tests, "utf8").matchAll(/^import '(.+)';$/gm)]
    .map(([, file]) => file!)
    .filter((file) => wanted.test(file));
  const setup = [
    "./index",
    "./register_all_gradients",
    "./public/chained_ops/register_all_chained_ops",
  ];
  return [...setup, ...files]
    .map((file) => `import ${JSON.stringify(`${folder}/${file.slice(2)}.js`)};`)
    .join("\n");
}

async function bundle(utilities: readonly string[]): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "error",
    ssr: { external: ["long", "seedrandom", "node-fetch"] },
    build: {
      ssr: true,
      write: false,
      minify: false,
      target: "node20",
      // Test files are imported for what they do, which the package's list of side effects leaves out.
      rolldownOptions: {
        input: entry,
        treeshake: false,
        output: { format: "cjs", codeSplitting: false },
      },
    },
    plugins: [
      {
        name: "tfjs-suite",
        enforce: "pre",
        resolveId: (id) => {
          if (id === entry) return id;
          return id.endsWith("/jasmine_util") ? utilModule : undefined;
        },
        load: (id) => {
          if (id === entry) return entrySource();
          if (id === utilModule)
            return utilities
              .map((name) => `export const ${name} = jasmineUtil.${name};`)
              .join("\n");
          if (!id.startsWith(folder) || !id.endsWith("_test.js")) return undefined;
          const name = id.slice(folder.length + 1, -".js".length);
          return `enterFile(${JSON.stringify(name)});\n${readFileSync(id, "utf8")}`;
        },
      },
    ],
  });
  const [output] = [result].flat();
  if (output === undefined || !("output" in output)) throw new Error("vite built nothing.");
  return output.output[0].code;
}
