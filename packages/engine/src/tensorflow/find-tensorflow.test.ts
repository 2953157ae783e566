import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import {
  findTensorFlow,
  madeInstallations,
  tensorFlowDirectory,
  type InstallationRecord,
} from "./find-tensorflow.js";
import { ownAddon } from "./tfjs-node-package.js";

const scratch = mkdtempSync(join(tmpdir(), "lejepa-find-"));
let base: string;

beforeEach(() => {
  base = mkdtempSync(join(scratch, "base-"));
  vi.stubEnv("LEJEPA_TENSORFLOW_DIR", base);
  return () => vi.unstubAllEnvs();
});
afterAll(() => rmSync(scratch, { recursive: true }));

/** A folder that looks like an installation, but for what is changed. */
function install(name: string, changes: Partial<InstallationRecord> = {}): string {
  const directory = join(base, name);
  mkdirSync(directory);
  writeFileSync(join(directory, "tfjs_binding.node"), "addon");
  const record: InstallationRecord = {
    format: 1,
    kind: "cpu",
    version: "2.21.0",
    tfjsNode: "4.22.0",
    machine: `${process.platform}-${process.arch}`,
    from: ["tensorflow-cpu==2.21.0"],
    bytes: 5,
    files: [{ path: "tfjs_binding.node", bytes: 5 }],
    ...changes,
  };
  writeFileSync(join(directory, "installation.json"), JSON.stringify(record));
  return directory;
}

test("the user's own folder is where it is looked for when none is named", () => {
  for (const unsaid of [undefined, ""]) {
    vi.stubEnv("LEJEPA_TENSORFLOW_DIR", unsaid);
    expect(tensorFlowDirectory().startsWith(join(homedir(), "/"))).toBe(true);
    expect(tensorFlowDirectory()).toMatch(/lejepa.tensorflow$/);
  }
});

test("an installation is found with its addon", async () => {
  const directory = install("2.21.0-cpu");
  expect(await findTensorFlow()).toEqual({
    kind: "cpu",
    version: "2.21.0",
    addon: join(directory, "tfjs_binding.node"),
    source: "setup",
    directory,
  });
});

test("one for GPUs goes before one that is not, then a later version before an earlier one", async () => {
  install("2.9.0-cpu", { version: "2.9.0" });
  install("2.21.0-cpu");
  expect(await findTensorFlow()).toMatchObject({ kind: "cpu", version: "2.21.0" });
  install("2.10.0-gpu", { version: "2.10.0", kind: "gpu" });
  install("2.9.0-gpu", { version: "2.9.0", kind: "gpu" });
  expect(await findTensorFlow()).toMatchObject({ kind: "gpu", version: "2.10.0" });
});

test.each<{ what: string; spoil: () => void }>([
  { what: "no folder", spoil: () => rmSync(base, { recursive: true }) },
  { what: "an empty folder", spoil: () => mkdirSync(join(base, "2.21.0-cpu")) },
  {
    what: "a record that was cut short",
    spoil: () => writeFileSync(join(install("2.21.0-cpu"), "installation.json"), '{"format":1,'),
  },
  { what: "another machine's", spoil: () => install("2.21.0-cpu", { machine: "plan9-mips" }) },
  {
    what: "a library of another size",
    spoil: () => install("2.21.0-cpu", { files: [{ path: "tfjs_binding.node", bytes: 6 }] }),
  },
  {
    what: "a library that is gone",
    spoil: () => install("2.21.0-cpu", { files: [{ path: join(scratch, "gone.so"), bytes: 5 }] }),
  },
  {
    what: "a record of a later form",
    spoil: () => install("2.21.0-cpu", { format: 2 as 1 }),
  },
])("nothing is found in the place of $what", async ({ spoil }) => {
  spoil();
  expect(await madeInstallations()).toEqual([]);
});

test("a package whose install script ran is known by its addon, and its TensorFlow by the library's name", () => {
  const directory = join(base, "tfjs-node");
  const stock = { name: "@tensorflow/tfjs-node", version: "4.22.0", directory } as const;
  expect(ownAddon(stock)).toBeUndefined();
  const addon = join(directory, "lib/napi-v8/tfjs_binding.node");
  mkdirSync(join(addon, ".."), { recursive: true });
  writeFileSync(addon, "");
  expect(ownAddon(stock)).toEqual({ addon, version: "of unknown version" });
  mkdirSync(join(directory, "deps/lib"), { recursive: true });
  for (const name of ["libtensorflow.so", "libtensorflow.so.2", "libtensorflow.so.2.9.1"])
    writeFileSync(join(directory, "deps/lib", name), "");
  expect(ownAddon(stock)).toEqual({ addon, version: "2.9.1" });
});
