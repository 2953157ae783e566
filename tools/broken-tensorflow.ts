import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Leaves in `directory` what looks like a TensorFlow of this machine and has no machine code in it, for tests of what is
 *  said then. Returns the path of its addon. */
export function brokenTensorFlow(directory: string): string {
  const folder = join(directory, "9.9.9-cpu");
  const addon = join(folder, "tfjs_binding.node");
  const contents = "This is no library.";
  mkdirSync(folder);
  writeFileSync(addon, contents);
  writeFileSync(
    join(folder, "installation.json"),
    JSON.stringify({
      format: 1,
      kind: "cpu",
      version: "9.9.9",
      tfjsNode: "4.22.0",
      machine: `${process.platform}-${process.arch}`,
      from: [],
      bytes: contents.length,
      files: [{ path: "tfjs_binding.node", bytes: contents.length }],
    }),
  );
  return addon;
}
