/** Runs tests of the TensorFlow engine on an unmodified @tensorflow/tfjs-node whose own install script made its addon, in
 *  a copy of this checkout: `tsx tools/stock-tensorflow.ts`. Fails unless all of them pass. */
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ownAddon, tfjsNodePackage } from "../packages/engine/src/tensorflow/tfjs-node-package.js";
import { namedBackends } from "./backend-names.mjs";
import { copyCheckout } from "./checkout-copy.js";
import { fetchTensorFlow29 } from "./tensorflow-29.js";

const run = promisify(execFile);
const tfjsNode = tfjsNodePackage("@tensorflow/tfjs-node")!;
const root = join(import.meta.dirname, "..");
/** Every lowered kernel, what only this engine does, and steps beside the eager engine. */
const tests = [
  "packages/engine/test/kernels/samples.test.ts",
  "packages/engine/test/engine.test.ts",
  "packages/engine/test/program.test.ts",
  "packages/engine/test/tensorflow-engine.test.ts",
  "packages/engine/test/tensorflow-options.test.ts",
  "tools/bench/reference-steps.test.ts",
];
/** The tests of every lowered kernel that compare other backends. */
const notOnTensorFlow = "each (lowered|composite) kernel gives|without the blocked layout";

if (!namedBackends.includes("tensorflow")) {
  console.log("stock tfjs-node: LEJEPA_BACKENDS does not name tensorflow");
  console.log("\n0 passed, 0 failed, 1 skipped");
} else if (process.platform !== "linux" || process.arch !== "x64") {
  console.log("stock tfjs-node: PyPI has its TensorFlow for Linux on x86-64 only");
  console.log("\n0 passed, 0 failed, 1 skipped");
} else {
  const stock = await stockTfjsNode();
  const { passed, version } = await testOn(stock);
  console.log(`${passed} tests pass on TensorFlow ${version}, by tfjs-node's install script`);
}

/** A copy of tfjs-node's package as npm installed it, in which its install script has run. Made once for as long as
 *  node_modules lasts. */
async function stockTfjsNode(): Promise<string> {
  const cache = join(root, "node_modules/.cache/stock-tensorflow");
  const made = join(cache, "tfjs-node");
  if (existsSync(made)) return made;
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, "making-"));
  try {
    const directory = join(making, "tfjs-node");
    const scriptsOwn = ["deps", "lib"].map((name) => join(tfjsNode.directory, name));
    cpSync(tfjsNode.directory, directory, {
      recursive: true,
      filter: (path) => !scriptsOwn.includes(path),
    });
    await fetchTensorFlow29(join(directory, "deps"));
    await run("npm", ["run", "install"], {
      cwd: directory,
      env: { ...process.env, ...compilerSettings() },
    });
    renameSync(directory, made);
  } finally {
    rmSync(making, { recursive: true });
  }
  return made;
}

/** What node-gyp is told: this Node's headers, where they lie beside it, in place of fetching them; and to link to the
 *  library although it is another one, behind it, that has the functions. */
function compilerSettings(): NodeJS.ProcessEnv {
  const prefix = join(process.execPath, "../..");
  return {
    LDFLAGS: "-Wl,--no-as-needed",
    ...(existsSync(join(prefix, "include/node/node_api.h")) && { npm_config_nodedir: prefix }),
  };
}

/** Runs the tests in a checkout that has this tfjs-node and no TensorFlow of the setup's. */
async function testOn(stock: string): Promise<{ passed: number; version: string }> {
  const checkout = mkdtempSync(join(tmpdir(), "lejepa-stock-"));
  try {
    copyCheckout(checkout);
    linkModules(checkout, stock);
    const nothing = join(checkout, "no-tensorflow");
    mkdirSync(nothing);
    const report = join(checkout, "report.json");
    const options = [
      `--testNamePattern=^(?!${notOnTensorFlow})`,
      ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
    ];
    const env = {
      ...process.env,
      LEJEPA_BACKENDS: "tensorflow",
      LEJEPA_TENSORFLOW_DIR: nothing,
    };
    await run("npx", ["vitest", "run", ...tests, ...options], {
      cwd: checkout,
      env,
      maxBuffer: Infinity,
    }).catch((error: Error & { stdout: string; stderr: string }) => {
      throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`);
    });
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as {
      numPassedTests: number;
      testResults: unknown[];
    };
    if (testResults.length !== tests.length)
      throw new Error(`${testResults.length} of ${tests.length} test files ran.`);
    const { version } = ownAddon({ ...tfjsNode, directory: stock })!;
    return { passed: numPassedTests, version };
  } finally {
    rmSync(checkout, { recursive: true });
  }
}

/** Gives a checkout the installed packages, its own in place of this checkout's, and this tfjs-node. */
function linkModules(checkout: string, stock: string): void {
  const installed = join(root, "node_modules");
  const modules = join(checkout, "node_modules");
  const own = ["@tensorflow", "@lejepa", "lejepa", ".cache"];
  for (const folder of ["@tensorflow", "@lejepa"])
    mkdirSync(join(modules, folder), { recursive: true });
  for (const name of readdirSync(installed))
    if (!own.includes(name)) symlinkSync(join(installed, name), join(modules, name));
  for (const name of readdirSync(join(installed, "@tensorflow")))
    symlinkSync(
      name === "tfjs-node" ? stock : join(installed, "@tensorflow", name),
      join(modules, "@tensorflow", name),
    );
  for (const folder of readdirSync(join(checkout, "packages"))) {
    const manifest = join(checkout, "packages", folder, "package.json");
    const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name: string };
    symlinkSync(join(checkout, "packages", folder), join(modules, name));
  }
}
