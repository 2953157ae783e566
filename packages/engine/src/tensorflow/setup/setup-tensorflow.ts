import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  addonName,
  madeInstallations,
  recordName,
  tensorFlowDirectory,
  type InstallationRecord,
  type TensorFlowInstallation,
} from "../find-tensorflow.js";
import type { TfjsNodePackage } from "../tfjs-node-package.js";
import { compileAddon } from "./compile-addon.js";
import { fetchWheels } from "./fetch-wheels.js";
import { folderBytes } from "./folder-bytes.js";
import { existingLibrary, unpackedLibrary, type Library } from "./library.js";
import { checkSpace, checkSystem, thisMachine, type Machine } from "./machine.js";
import { checkCudaDriver, findCompiler, findPython } from "./programs.js";
import { setupError } from "./setup-error.js";
import { withSetupLock } from "./setup-lock.js";
import { smokeTest } from "./smoke-test.js";
import { unpackWheels } from "./unpack-wheels.js";
import { tensorFlowVersion, wheelsFor, type Wheel } from "./wheels.js";

/** Options of {@link setupTensorFlow}. */
export interface SetupOptions {
  /** "cpu" when left out. "gpu" is for NVIDIA's GPUs, with CUDA 12. */
  readonly kind?: "cpu" | "gpu";
  /** Folder of an existing TensorFlow to link to, headers and libraries, in place of one from PyPI. */
  readonly from?: string;
  /** What becomes of an installation of this kind that is there and whole; "keep" when left out. */
  readonly existing?: "keep" | "replace";
  /** Ends the work, leaves nothing behind but finished downloads, and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Where the setup is. */
export interface SetupProgress {
  readonly phase: "wait" | "download" | "unpack" | "compile" | "test";
  /** A sentence about it, without full stop. */
  readonly message: string;
  /** Bytes that are there, and bytes in all; while it downloads. */
  readonly bytes?: number;
  readonly totalBytes?: number;
}

/** What {@link setupTensorFlow} returns. */
export interface SetupResult extends TensorFlowInstallation {
  /** "kept" when it was there already. */
  readonly status: "installed" | "kept";
  /** The packages it was fetched as, or the folder it links to. */
  readonly from: readonly string[] | string;
  /** Size of its folder on disk. */
  readonly bytes: number;
}

/** Makes a TensorFlow that the engine can run on: fetches the library with pip, checks its hash, compiles tfjs-node's
 *  addon against it and tries both in a process of their own. Needs Linux, Python 3 with pip, a compiler of C++ and
 *  @tensorflow/tfjs-node.
 *
 *  All is made in a folder aside and put in place by one renaming, so that there is a whole installation or none,
 *  wherever it is broken off. A later run goes on from what was fetched; several at a time wait for one another.
 *  @param onProgress told each phase as it begins, and how far a download is
 *  @throws LejepaError with one of {@link SetupErrorCode} */
export function setupTensorFlow(
  options: SetupOptions = {},
  onProgress: (progress: SetupProgress) => void = () => undefined,
): Promise<SetupResult> {
  return setupOn(thisMachine(), options, onProgress);
}

/** {@link setupTensorFlow} for a machine that is described. */
export async function setupOn(
  machine: Machine,
  { kind = "cpu", from, existing = "keep", signal = new AbortController().signal }: SetupOptions,
  onProgress: (progress: SetupProgress) => void,
): Promise<SetupResult> {
  const { tfjsNode } = machine;
  if (tfjsNode === undefined)
    throw setupError(
      "no-tfjs-node",
      'setup: @tensorflow/tfjs-node is not installed, and its addon is what is compiled; run "npm install --ignore-scripts @tensorflow/tfjs-node@4" first.',
    );
  checkSystem(machine);
  const source = from === undefined ? wheelsFor(kind, machine.name) : resolve(from);
  const kept = (): Promise<SetupResult | undefined> =>
    existing === "keep" ? wholeInstallation(kind, tfjsNode, from) : Promise.resolve(undefined);

  // A folder that another user set up may be read-only, and needs nothing.
  const found = await kept();
  if (found !== undefined) return found;
  if (kind === "gpu") await checkCudaDriver(signal);
  const compiler = await findCompiler(signal);
  const base = tensorFlowDirectory();
  await mkdir(base, { recursive: true });
  const onWait = () =>
    onProgress({ phase: "wait", message: `Another setup is at work in ${base}; waiting for it` });
  return withSetupLock(base, signal, onWait, async (signal) => {
    const madeMeanwhile = await kept();
    if (madeMeanwhile !== undefined) return madeMeanwhile;
    await sweep(base);
    const building = await mkdtemp(join(base, buildingPrefix));
    try {
      const library =
        typeof source === "string"
          ? existingLibrary(source)
          : await fetchLibrary(source, machine, { base, building, signal, onProgress });
      onProgress({ phase: "compile", message: `Compiling tfjs-node's addon with ${compiler}` });
      const addon = join(building, addonName);
      await compileAddon(tfjsNode, library, { compiler, output: addon, signal });
      onProgress({ phase: "test", message: "Trying it in a process of its own" });
      const version = await smokeTest(addon, kind, signal);
      if (typeof source !== "string") await rm(library.include, { recursive: true });
      await writeRecord(building, {
        format: 1,
        kind,
        version,
        tfjsNode: tfjsNode.version,
        machine: machine.name,
        from:
          typeof source === "string"
            ? source
            : source.map(({ name, version }) => `${name}==${version}`),
        files: await sizesOf(building, [addon, ...library.libraries]),
      });
      signal.throwIfAborted();
      const directory = join(base, `${version}-${kind}`);
      await rm(directory, { recursive: true, force: true });
      await chmod(building, 0o755); // a temporary folder is made for one user
      await rename(building, directory);
    } finally {
      await rm(building, { recursive: true, force: true });
    }
    await rm(join(base, downloadsName), { recursive: true, force: true });
    const made = await wholeInstallation(kind, tfjsNode, from);
    return { ...made!, status: "installed" };
  });
}

/** Fetches wheels and unpacks them into the folder that is being built. */
async function fetchLibrary(
  wheels: readonly Wheel[],
  machine: Machine,
  { base, building, signal, onProgress }: FetchPlace,
): Promise<Library> {
  const python = await findPython(signal);
  const downloads = join(base, downloadsName);
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
  const totalBytes = sum(wheels.map(({ bytes }) => bytes));
  const missing = totalBytes - Math.min(totalBytes, await folderBytes(downloads));
  // pip fetches into a temporary folder and copies from there; then all wheels lie beside what is unpacked.
  const beside = [...wheels.map(({ bytes }) => bytes), sum(wheels.map((wheel) => wheel.keptBytes))];
  await checkSpace(machine, base, missing + Math.max(...beside));

  const names = wheels.map(({ name, version }) => `${name} ${version}`).join(", ");
  const download = { phase: "download", message: `Fetching ${names}`, totalBytes } as const;
  onProgress({ ...download, bytes: totalBytes - missing });
  const scratch = await mkdtemp(join(building, "pip-"));
  const paths = await fetchWheels(wheels, {
    processor: machine.name === "linux-arm64" ? "aarch64" : "x86_64",
    python,
    downloads,
    scratch,
    signal,
    onBytes: (bytes) => onProgress({ ...download, bytes: Math.min(bytes, totalBytes) }),
  });
  await rm(scratch, { recursive: true });
  onProgress({ phase: "unpack", message: "Unpacking the libraries; their hashes are right" });
  await unpackWheels(wheels, paths, { python, into: building, signal });
  return unpackedLibrary(building);
}

interface FetchPlace {
  readonly base: string;
  readonly building: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: SetupProgress) => void;
}

/** Removes every installation that {@link setupTensorFlow} made and what it fetched; not the stock ones.
 *  @returns the folders removed and the bytes they took */
export async function removeTensorFlow(
  signal: AbortSignal = new AbortController().signal,
): Promise<{ directories: string[]; bytes: number }> {
  const base = tensorFlowDirectory();
  if ((await readdir(base).catch(() => [])).length === 0) return { directories: [], bytes: 0 };
  return withSetupLock(
    base,
    signal,
    () => undefined,
    async () => {
      const names = (await readdir(base)).filter((name) => /^\d+\.\d+\.\S*-(cpu|gpu)$/.test(name));
      const directories = names.map((name) => join(base, name));
      const bytes = await folderBytes(base);
      for (const directory of [...directories, join(base, downloadsName)])
        await rm(directory, { recursive: true, force: true });
      await sweep(base);
      return { directories, bytes };
    },
  );
}

const downloadsName = "downloads";
const buildingPrefix = ".building-";

/** Removes what runs that were killed left behind. */
async function sweep(base: string): Promise<void> {
  for (const name of await readdir(base))
    if (name.startsWith(buildingPrefix)) await rm(join(base, name), { recursive: true });
}

/** An installation that serves what is asked for. */
async function wholeInstallation(
  kind: "cpu" | "gpu",
  tfjsNode: TfjsNodePackage,
  from: string | undefined,
): Promise<SetupResult | undefined> {
  for (const { installation, record } of await madeInstallations())
    if (
      record.kind === kind &&
      record.tfjsNode === tfjsNode.version &&
      (from === undefined ? record.version === tensorFlowVersion : record.from === resolve(from))
    )
      return { ...installation, status: "kept", from: record.from, bytes: record.bytes };
  return undefined;
}

async function sizesOf(
  folder: string,
  paths: readonly string[],
): Promise<InstallationRecord["files"]> {
  return Promise.all(
    paths.map(async (path) => ({
      path: path.startsWith(folder) ? path.slice(folder.length + 1) : path,
      bytes: (await stat(path)).size,
    })),
  );
}

async function writeRecord(folder: string, record: Omit<InstallationRecord, "bytes">) {
  const bytes = await folderBytes(folder);
  await writeFile(join(folder, recordName), `${JSON.stringify({ ...record, bytes }, null, 2)}\n`);
}
