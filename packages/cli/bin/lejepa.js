#!/usr/bin/env node
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

// npm links no missing file, so this one is checked in; in a checkout that was never built it builds first.
if (existsSync(new URL("../src/index.ts", import.meta.url))) {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const isBuilt = (name) => existsSync(`${root}packages/${name}/dist/index.js`);
  if (!readdirSync(`${root}packages`).every(isBuilt))
    execFileSync(
      process.execPath,
      [`${root}node_modules/nx/bin/nx.js`, "run-many", "-t", "bundle"],
      { cwd: root, stdio: ["ignore", "ignore", "inherit"] },
    );
}
const { main } = await import("../dist/index.js");
process.exitCode = await main(process.argv.slice(2));
