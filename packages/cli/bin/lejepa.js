#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

// npm links no missing file, so this one is checked in; in a checkout that was never built it builds first.
if (existsSync(new URL("../src/index.ts", import.meta.url))) {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const isBuilt = (name) => existsSync(`${root}packages/${name}/dist/index.js`);
  if (!readdirSync(`${root}packages`).every(isBuilt)) {
    process.stderr.write("lejepa: building the packages of this checkout, which is done once\n");
    // nx itself says where its program lies: its folders have moved between versions.
    const nx = createRequire(import.meta.url).resolve("nx/bin/nx.js");
    const args = [nx, "run-many", "-t", "bundle", "--output-style=static"];
    const { status, stdout } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (status !== 0) {
      process.stderr.write(`${stdout}lejepa: the packages could not be built; see above.\n`);
      process.exit(1);
    }
  }
}
const { main } = await import("../dist/index.js");
process.exitCode = await main(process.argv.slice(2));
