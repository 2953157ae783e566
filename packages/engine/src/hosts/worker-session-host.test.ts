import fs, { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { startWorkerSessionHost } from "./worker-session-host.js";

const directory = mkdtempSync(join(tmpdir(), "lejepa-worker-"));
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** Settings of a worker that loads this program in the place of TensorFlow's addon. */
function settingsFor(program: string) {
  const addon = join(directory, "addon.cjs");
  writeFileSync(addon, program);
  const installation = {
    kind: "cpu",
    version: "9.9.9",
    addon,
    source: "setup",
    directory,
  } as const;
  return { engine: "tensorflow", installation } as const;
}

test("a library that does not load in the worker thread is told by code, as in the main one", async () => {
  const host = startWorkerSessionHost(settingsFor('throw new Error("wrong ELF class")'));
  await expect(host.readState(1)).rejects.toMatchObject({
    name: "LejepaError",
    code: "engine-unavailable",
    message: expect.stringMatching(
      /9\.9\.9 at .*addon\.cjs does not load here \(wrong ELF/,
    ) as string,
    cause: expect.objectContaining({ message: "wrong ELF class" }) as Error,
  });
});

test("what a library throws itself comes through as an error without a code of ours", async () => {
  const host = startWorkerSessionHost(
    settingsFor('exports.loadSavedModel = () => { throw new RangeError("no such folder"); };'),
  );
  const failure: unknown = await host.createState({}, []).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(RangeError);
  expect(failure).toMatchObject({ message: "no such folder" });
  expect(failure).not.toHaveProperty("code");
  await host.end();
});

test("a thread that ends by itself rejects what waits for it and what comes later", async () => {
  const host = startWorkerSessionHost(settingsFor("process.exit(5)"));
  const failed = {
    name: "LejepaError",
    code: "worker-failed",
    message: expect.stringMatching(/tensorflow engine's worker thread stopped: .*code 5/) as string,
  };
  await expect(host.readState(1)).rejects.toMatchObject(failed);
  await expect(host.readState(1)).rejects.toMatchObject(failed);
  await host.end();
});

test("a missing file of the thread is told, with what to do", () => {
  vi.spyOn(fs, "existsSync").mockReturnValue(false);
  syncBuiltinESMExports();
  expect(() => startWorkerSessionHost(settingsFor(""))).toThrow(
    expect.objectContaining({
      code: "worker-failed",
      message: expect.stringMatching(/host-worker.*is missing.*thread: "main"/) as string,
    }) as Error,
  );
});
