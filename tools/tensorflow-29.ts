import { execFile } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { fetchWheels } from "../packages/engine/src/tensorflow/setup/fetch-wheels.js";
import { unpackWheels } from "../packages/engine/src/tensorflow/setup/unpack-wheels.js";
import type { Wheel } from "../packages/engine/src/tensorflow/setup/wheels.js";

const run = promisify(execFile);
const pythonLibrary = "tensorflow/python/_pywrap_tensorflow_internal.so";
const frameworkLibrary = "tensorflow/libtensorflow_framework.so.2";
const wheel: Wheel = {
  name: "tensorflow-cpu",
  version: "2.9.1",
  sha256: "6666ddeae45e1f41da788cb4bdea3435aba16edb0bc17b7ac00631c7c9eb052e",
  bytes: 207_453_921,
  keeps: ["tensorflow/include/tensorflow/", pythonLibrary, frameworkLibrary],
  keptBytes: 517_142_163,
};

/** Makes the folder `into`, laid out as TensorFlow 2.9.1's archive for C: `include/` and `lib/`. The install script of
 *  tfjs-node 4.22 takes it where it lies there as `deps`. For Linux on x86-64; needs pip, a compiler of C, and nm.
 *
 *  The archive is offered by one host only; PyPI has the same release for Python 3.10, whose library exports the C API.
 *  It wants Python's names from whoever loads it, and calls none of them unless Python calls it: a library of the
 *  archive's name has the names, and links to it. */
export async function fetchTensorFlow29(into: string): Promise<void> {
  const scratch = join(into, "fetched");
  mkdirSync(scratch, { recursive: true });
  const python = "python3";
  const { signal } = new AbortController();
  const paths = await fetchWheels([wheel], {
    processor: "x86_64",
    tags: { python: "3.10", abi: "cp310" },
    ...{ python, downloads: join(scratch, "downloads"), scratch, signal },
    onBytes: () => undefined,
  });
  await unpackWheels([wheel], paths, { python, into: scratch, signal });

  renameSync(join(scratch, "tensorflow/include"), join(into, "include"));
  const lib = join(into, "lib");
  mkdirSync(lib);
  const inner = join(lib, basename(pythonLibrary)); // its own name for itself
  renameSync(join(scratch, pythonLibrary), inner);
  renameSync(join(scratch, frameworkLibrary), named(lib, "libtensorflow_framework"));
  await linkBehind(inner, named(lib, "libtensorflow"), scratch);
  rmSync(scratch, { recursive: true });
}

/** The path of a library's file in a folder, to which its shorter names there lead. */
function named(lib: string, library: string): string {
  const file = `${library}.so.${wheel.version}`;
  for (const short of [`${library}.so`, `${library}.so.2`]) symlinkSync(file, join(lib, short));
  return join(lib, file);
}

/** Makes a library that links to another and has the names of Python's which that one wants. */
async function linkBehind(inner: string, output: string, scratch: string): Promise<void> {
  const { stdout } = await run("nm", ["--dynamic", "--undefined-only", "--format=posix", inner], {
    maxBuffer: Infinity,
  });
  const names = stdout.match(/^_?Py\w+/gm) ?? [];
  const source = join(scratch, "python-names.c");
  writeFileSync(source, names.map((name) => `void ${name}(void) { __builtin_trap(); }\n`).join(""));
  await run("cc", [
    ...["-shared", "-fPIC", "-w", "-Wl,-soname,libtensorflow.so.2", "-Wl,-rpath,$ORIGIN"],
    ...["-Wl,--no-as-needed", source, inner, "-o", output],
  ]);
}
