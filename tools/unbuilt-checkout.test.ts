import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { copyCheckout } from "./checkout-copy.js";

const root = join(import.meta.dirname, "..");
const checkout = mkdtempSync(join(tmpdir(), "lejepa-unbuilt-"));
afterAll(() => rmSync(checkout, { recursive: true }));

test("the command line of a checkout that was never built builds its packages first", () => {
  copyCheckout(checkout);
  // What is installed: at the root, and what the command line needs in another version than others do.
  for (const installed of ["node_modules", "packages/cli/node_modules"])
    symlinkSync(join(root, installed), join(checkout, installed), "junction");
  const built = join(checkout, "packages", "cli", "dist", "index.js");
  expect(existsSync(built)).toBe(false);

  const bin = join(checkout, "packages", "cli", "bin", "lejepa.js");
  // A cache of builds would pass off what another checkout has built.
  const env = { ...process.env, NX_SKIP_NX_CACHE: "true", NX_DAEMON: "false" };
  const run = () => spawnSync(process.execPath, [bin, "--help"], { env, encoding: "utf8" });
  const { stdout, stderr } = run();
  expect(stdout).toMatch(/^Usage: lejepa/);
  expect(stderr).toMatch(/^lejepa: building the packages of this checkout/);
  expect(existsSync(built)).toBe(true);
  expect(run()).toMatchObject({ stdout, stderr: "" });
});
