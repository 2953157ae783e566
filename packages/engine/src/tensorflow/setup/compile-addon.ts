import { createRequire } from "node:module";
import { join } from "node:path";
import type { TfjsNodePackage } from "../tfjs-node-package.js";
import type { Library } from "./library.js";
import { runProgram } from "./run-program.js";
import { setupError } from "./setup-error.js";

/** Compiles tfjs-node's addon against a TensorFlow. It uses Node-API version 8, whose binary interface every later Node
 *  keeps, so that one addon serves all of them.
 *  @throws LejepaError "compile-failed" */
export async function compileAddon(
  { directory }: TfjsNodePackage,
  { include, libraries, runPath }: Library,
  { compiler, output, signal }: { compiler: string; output: string; signal: AbortSignal },
): Promise<void> {
  const require = createRequire(import.meta.url);
  const { include_dir: nodeHeaders } = require("node-api-headers") as { include_dir: string };
  const end = await runProgram(
    compiler,
    [
      ...["-std=c++17", "-O2", "-fPIC", "-shared", "-DNAPI_VERSION=8"],
      ...[`-I${nodeHeaders}`, `-I${include}`],
      ...["tfjs_backend.cc", "tfjs_binding.cc"].map((name) => join(directory, "binding", name)),
      ...libraries,
      ...[`-Wl,-rpath,${runPath}`, "-o", output],
    ],
    signal,
  );
  if (end?.code !== 0)
    throw setupError(
      "compile-failed",
      `setup: ${compiler} could not compile tfjs-node's addon (${firstError(end?.stderr ?? "it is gone")}); try another compiler by CXX, such as CXX=clang++.`,
    );
}

const firstError = (said: string): string =>
  (said.split("\n").find((line) => /error|undefined reference|cannot find/i.test(line)) ?? said)
    .trim()
    .slice(0, 400);
