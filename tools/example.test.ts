import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = `${import.meta.dirname}/..`;
const folders = readdirSync(`${root}/docs/examples`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "shared")
  .map(({ name }) => name);

function run(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", "tools/example.ts", ...args],
    { cwd: root, encoding: "utf8", env: { ...process.env, NODE_OPTIONS: "" } },
  );
  return { status, output: stdout + stderr };
}

test("every folder of docs/examples has a name to run it by, and a README that says how", () => {
  const { status, output } = run("--help");
  expect(status).toBe(0);
  expect(folders).toHaveLength(5);
  for (const name of folders) {
    expect(output).toContain(name);
    const readme = readFileSync(`${root}/docs/examples/${name}/README.md`, "utf8");
    expect(readme).toContain(`npm run example -- ${name}`);
  }
});

test.each([
  [["no-such-example"], "there is no example no-such-example"],
  [["jax-js", "--steps", "none"], "--steps takes a whole number of at least 1, got none"],
  [["jax-js", "--sed", "1"], "--sed"],
])("%j is refused", (args, message) => {
  const { status, output } = run(...args);
  expect(status).toBe(2);
  expect(output).toContain(message);
});
