/** `npm test`: every check of the workspace, one after the other; closes with `N passed, N failed, N skipped`.
 *
 *  A stage that is not the unit tests counts as one check. `npm test -- NAME...` runs the named stages only. */
import { spawn } from "node:child_process";
import { leftOut } from "./backend-names.mjs";

const stages = [
  { name: "format", command: "prettier --check . --log-level warn" },
  { name: "lint", command: "eslint . --max-warnings 0" },
  { name: "typecheck", command: "tsc -p tsconfig.json" },
  { name: "build", command: "nx run-many -t build --output-style=static" },
  { name: "unit", command: "vitest run" },
  { name: "stock", command: "tsx tools/stock-tensorflow.ts" },
  { name: "packages", command: "nx run-many -t check:package --output-style=static" },
  { name: "knip", command: "knip" },
  { name: "docs", command: "nx run root:docs --output-style=static" },
  { name: "install", command: "node tools/install-test.mjs" },
];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  console.error(
    `npm test: unknown stage ${unknown.join(", ")}; choose from ${stages.map((stage) => stage.name).join(", ")}.`,
  );
  process.exit(2);
}

const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
for (const stage of stages.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  console.log(`\n=== ${stage.name}: ${stage.command}`);
  const start = performance.now();
  const { code, output } = await run(stage.command);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const counts = [...output.matchAll(/^(\d+) passed, (\d+) failed, (\d+) skipped$/gm)].at(-1);
  totals.passed += counts ? Number(counts[1]) : code === 0 ? 1 : 0;
  totals.failed += counts ? Number(counts[2]) : code === 0 ? 0 : 1;
  totals.skipped += counts ? Number(counts[3]) : 0;
  // A runner that fails without counting a failed test (a file that does not load) is a failure all the same.
  if (counts && code !== 0 && counts[2] === "0") totals.failed++;
  if (code !== 0) failures.push(stage.name);
  console.log(`=== ${stage.name}: ${code === 0 ? "ok" : "FAILED"} in ${seconds} s`);
}
if (leftOut() !== "") console.log(`\n${leftOut()}`);
if (failures.length > 0) console.log(`\nFailed: ${failures.join(", ")}.`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed === 0 ? 0 : 1;

/** Runs one command with the workspace's programs on the path, showing and keeping what it prints. */
function run(command) {
  return new Promise((resolve) => {
    const child = spawn(command, {
      shell: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        PATH: `${process.cwd()}/node_modules/.bin:${process.env.PATH}`,
        FORCE_COLOR: "0",
        NO_COLOR: "1",
      },
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    child.stderr.on("data", (chunk) => process.stderr.write(chunk));
    child.on("close", (code) => resolve({ code, output }));
  });
}
