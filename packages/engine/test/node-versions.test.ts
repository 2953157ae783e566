import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { namedBackends } from "../../../tools/backend-names.mjs";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");
/** npm's packages of Node hold the program itself, so no install script has to fetch it. */
const nodePackage = `node-${process.platform}-${process.arch}`;
const versions = ["20.20.2", "22.23.5", "24.22.3", "26.12.1"];
const cache = join(root, "node_modules/.cache/node-versions");
const programOf = (version: string): string => join(cache, "node_modules", version, "bin/node");

beforeAll(async () => {
  if (!namedBackends.includes("tensorflow") || versions.map(programOf).every(existsSync)) return;
  mkdirSync(cache, { recursive: true });
  await run(
    "npm",
    ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"].concat(
      ["--prefix", cache],
      versions.map((version) => `${version}@npm:${nodePackage}@${version}`),
    ),
    { cwd: cache },
  );
}, 300_000);

test.for(versions)("one addon serves Node %s", async (version, context) => {
  needs("tensorflow", context);
  const program = join(import.meta.dirname, "programs/tensorflow-on-node.ts");
  const { stdout, stderr } = await run(programOf(version), ["--import", "tsx", program], {
    cwd: root,
  });
  expect(JSON.parse(stdout)).toEqual({
    node: `v${version}`,
    tensorflow: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    step: { loss: [5], w: [0.5, -1] },
    topTwo: [9, 4],
    gradient: [2, -6, 4],
    product: [19, 22, 43, 50],
  });
  expect(stderr).not.toMatch(/deprecat/i);
});
