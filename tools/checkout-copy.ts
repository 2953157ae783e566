import { cpSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const made = /[\\/](dist|node_modules|\.nx|runs)$/;

/** Copies the sources of this checkout into a folder: what it needs to build and to test, nothing that was made or
 *  installed. */
export function copyCheckout(into: string): void {
  const files = ["nx.json", "package.json", "package-lock.json", "vitest.config.ts"];
  for (const name of [...files, "tsconfig.json", "tsconfig.build.json"])
    cpSync(join(root, name), join(into, name));
  for (const folder of ["packages", "tools"])
    cpSync(join(root, folder), join(into, folder), {
      recursive: true,
      filter: (path) => !made.test(path),
    });
}
