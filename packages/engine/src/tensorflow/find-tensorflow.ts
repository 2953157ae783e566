import { readdir, readFile, stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import envPaths from "env-paths";
import { ownAddon, tfjsNodePackage } from "./tfjs-node-package.js";

/** A TensorFlow that tfjs-node's JavaScript can run on. */
export interface TensorFlowInstallation {
  /** "gpu" is built for CUDA, "cpu" is not. */
  readonly kind: "cpu" | "gpu";
  /** Of TensorFlow, such as "2.21.0". */
  readonly version: string;
  /** Absolute path of `tfjs_binding.node`. */
  readonly addon: string;
  /** "setup": made by `setupTensorFlow`; "stock": by the install script of @tensorflow/tfjs-node or tfjs-node-gpu. */
  readonly source: "setup" | "stock";
  /** Absolute path of the folder that holds the addon (setup), or of the npm package (stock). */
  readonly directory: string;
}

/** What `installation.json` says: it is written last, so a folder without a true one is no installation. */
export interface InstallationRecord {
  readonly format: 1;
  readonly kind: "cpu" | "gpu";
  readonly version: string;
  /** Version of the tfjs-node that the addon was compiled from. */
  readonly tfjsNode: string;
  /** As process.platform and process.arch have it, with a hyphen between. */
  readonly machine: string;
  /** The packages fetched, as pip names them, or the folder that an existing library lies in. */
  readonly from: readonly string[] | string;
  /** Size of the folder on disk, in bytes. */
  readonly bytes: number;
  /** The addon and the libraries it is linked to, with their sizes; paths are relative to the folder, or absolute. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

export const addonName = "tfjs_binding.node";
export const recordName = "installation.json";

/** The folder that holds what `setupTensorFlow` makes, one folder a flavour: `LEJEPA_TENSORFLOW_DIR`, else the user's
 *  own folder of application data. */
export function tensorFlowDirectory(): string {
  const named = process.env.LEJEPA_TENSORFLOW_DIR;
  return named !== undefined && named !== ""
    ? resolve(named)
    : join(envPaths("lejepa", { suffix: "" }).data, "tensorflow");
}

/** The TensorFlow that the engine would run on; undefined if there is none. One made by `setupTensorFlow` goes before a
 *  stock one, which is older; then gpu before cpu, then the later version. Only reads. */
export async function findTensorFlow(): Promise<TensorFlowInstallation | undefined> {
  const [made] = await madeInstallations();
  if (made !== undefined) return made.installation;
  for (const kind of ["gpu", "cpu"] as const) {
    const installed = tfjsNodePackage(
      kind === "gpu" ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node",
    );
    const own = installed && ownAddon(installed);
    if (installed && own) return { kind, ...own, source: "stock", directory: installed.directory };
  }
  return undefined;
}

/** What `setupTensorFlow` has made here for this machine, the one to prefer first. */
export async function madeInstallations(): Promise<
  { installation: TensorFlowInstallation; record: InstallationRecord }[]
> {
  const base = tensorFlowDirectory();
  const names = await readdir(base).catch(() => []);
  const all = await Promise.all(names.map((name) => readInstallation(join(base, name))));
  return all
    .filter((found) => found !== undefined)
    .sort(
      ({ record: a }, { record: b }) =>
        b.kind.localeCompare(a.kind) ||
        b.version.localeCompare(a.version, undefined, { numeric: true }),
    );
}

/** The installation in a folder; undefined unless its record is there and every file in it has its size. */
async function readInstallation(directory: string) {
  try {
    const record = JSON.parse(
      await readFile(join(directory, recordName), "utf8"),
    ) as InstallationRecord;
    const { format, kind, version, machine, files } = record;
    if (format !== 1 || machine !== `${process.platform}-${process.arch}`) return undefined;
    for (const { path, bytes } of files)
      if ((await stat(isAbsolute(path) ? path : join(directory, path))).size !== bytes)
        return undefined;
    const installation: TensorFlowInstallation = {
      kind,
      version,
      addon: join(directory, addonName),
      source: "setup",
      directory,
    };
    return { installation, record };
  } catch {
    return undefined;
  }
}
