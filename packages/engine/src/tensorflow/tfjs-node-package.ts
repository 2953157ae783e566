import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** tfjs-node as npm installed it: its JavaScript, the source of its addon, and the addon if its install script ran. */
export interface TfjsNodePackage {
  readonly name: "@tensorflow/tfjs-node" | "@tensorflow/tfjs-node-gpu";
  readonly version: string;
  /** Absolute path. */
  readonly directory: string;
}

/** Finds one of tfjs-node's two packages from here; undefined where it is not installed. */
export function tfjsNodePackage(name: TfjsNodePackage["name"]): TfjsNodePackage | undefined {
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  } catch {
    return undefined;
  }
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return { name, version, directory: dirname(manifest) };
}

/** The addon that tfjs-node's own install script put into its package, and the version of the TensorFlow that the
 *  script fetched beside it; undefined where it did not run to the end. */
export function ownAddon({
  directory,
}: TfjsNodePackage): { addon: string; version: string } | undefined {
  const addon = join(directory, "lib/napi-v8/tfjs_binding.node");
  if (!existsSync(addon)) return undefined;
  const libraries = join(directory, "deps/lib");
  const version = (existsSync(libraries) ? readdirSync(libraries) : [])
    .map((name) => /^libtensorflow\.(?:so\.)?(\d+\.\d+\.\d+)(?:\.dylib)?$/.exec(name)?.[1])
    .find((found) => found !== undefined);
  return { addon, version: version ?? "of unknown version" };
}
