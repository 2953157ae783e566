import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setupError } from "./setup-error.js";

/** TensorFlow to compile and link against. */
export interface Library {
  /** Folder of `tensorflow/c/c_api.h`. */
  readonly include: string;
  /** TensorFlow and its framework, absolute paths. */
  readonly libraries: readonly string[];
  /** Where the loader is to look for them, in its own words. */
  readonly runPath: string;
}

/** What was unpacked from the packages of PyPI into the folder that the addon goes to. */
export function unpackedLibrary(folder: string): Library {
  const inside = join(folder, "tensorflow");
  return { ...libraryIn(inside, [inside]), runPath: "$ORIGIN/tensorflow" };
}

/** An existing TensorFlow: a folder as TensorFlow's own archive for C has it (`include/`, `lib/`), or the folder
 *  `tensorflow` of an installed Python package. It is linked to where it lies.
 *  @throws LejepaError "bad-library" */
export function existingLibrary(from: string): Library {
  const folder = resolve(from);
  const library = libraryIn(
    folder,
    ["", "lib", "lib64"].map((name) => join(folder, name)),
  );
  return { ...library, runPath: resolve(library.libraries[0]!, "..") };
}

function libraryIn(folder: string, places: readonly string[]): Omit<Library, "runPath"> {
  const include = join(folder, "include");
  if (!existsSync(join(include, "tensorflow/c/c_api.h")))
    throw setupError(
      "bad-library",
      `setup: no TensorFlow headers in ${folder} (include/tensorflow/c/c_api.h is missing); name a folder that has include/ and lib/, as TensorFlow's archive for C unpacks, or the folder "tensorflow" of a Python installation.`,
    );
  const find = (names: readonly string[]): string => {
    for (const name of names)
      for (const place of places) if (existsSync(join(place, name))) return join(place, name);
    throw setupError(
      "bad-library",
      `setup: no ${names.join(" or ")} in ${places.join(" or ")}; name a folder that has the library beside its headers.`,
    );
  };
  return {
    include,
    libraries: [
      find(["libtensorflow_cc.so.2", "libtensorflow.so.2"]),
      find(["libtensorflow_framework.so.2"]),
    ],
  };
}
