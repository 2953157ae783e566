import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Makes a batch in a worker thread; its one pixel tells what a module named by --import left there. */
const program = `
  import { createLoader } from "@lejepa/data";
  const module = "data:text/javascript," + encodeURIComponent(
    "export const open = () => ({ name: 'flags', length: 1, item: () => ({ image:" +
      "{ height: 1, width: 1, channels: 1, data: Float32Array.of(globalThis.preloaded ?? -1) } }) });",
  );
  const { open } = await import(module);
  const dataset = { ...open(), reopen: { module, export: "open" } };
  const views = { count: 1, transforms: [] };
  const { value } = await createLoader(dataset, { batchSize: 1, views, workers: 1 }).next();
  console.log(value.groups[0].images[0]);
`;

test.each([
  { flags: ["--input-type=module"], prints: "-1" },
  { flags: ["--input-type", "module", "--max-old-space-size=500", "--title=x"], prints: "-1" },
  {
    flags: ["--import", "data:text/javascript,globalThis.preloaded = 7", "--input-type=module"],
    prints: "7",
  },
])("a loader's thread runs in a process with $flags, and has what the flags import", (row) => {
  const output = execFileSync(
    process.execPath,
    ["--import", "tsx", ...row.flags, "--eval", program],
    {
      cwd: `${import.meta.dirname}/../../..`,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: "" },
    },
  );
  expect(output).toBe(`${row.prints}\n`);
});
