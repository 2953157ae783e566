import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import { withSetupLock } from "./setup-lock.js";

const folder = mkdtempSync(join(tmpdir(), "lejepa-lock-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a process that stood still until another took its lock over ends with lock-lost, and leaves the other its lock", async () => {
  const program = join(import.meta.dirname, "../../../test/programs/hold-setup-lock.ts");
  const child = spawn(process.execPath, ["--import", "tsx", program, folder], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout);
  const line = async () => String((await once(lines, "line"))[0]);
  const waits: string[] = [];
  try {
    expect(await line()).toBe("holding");
    child.kill("SIGSTOP");
    const said = await withSetupLock(
      folder,
      new AbortController().signal,
      () => waits.push("waits"),
      async (signal) => {
        const end = line();
        child.kill("SIGCONT");
        const said = JSON.parse(await end) as unknown;
        await once(child, "exit");
        expect(existsSync(join(folder, ".lock"))).toBe(true);
        expect(signal.aborted).toBe(false);
        return said;
      },
    );
    expect(said).toEqual({
      name: "LejepaError",
      code: "lock-lost",
      message: expect.stringContaining(`another process took over ${folder}`) as string,
    });
  } finally {
    child.kill("SIGKILL");
  }
  expect(waits).toEqual(["waits"]);
  expect(existsSync(join(folder, ".lock"))).toBe(false);
});
