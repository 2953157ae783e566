import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkWritable, makeFolder } from "./writable-folder.js";

let scratch = "";
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "lejepa-writable-"));
  writeFileSync(join(scratch, "file"), "");
});
afterAll(() => rmSync(scratch, { recursive: true }));

test("folders that are missing are made, and named outermost first", async () => {
  const [a, b] = [join(scratch, "a"), join(scratch, "a", "b")];
  expect(await makeFolder(b)).toEqual([a, b]);
  expect(existsSync(b)).toBe(true);
  expect(await makeFolder(b)).toEqual([]);
});

test("checking makes nothing", async () => {
  await checkWritable(join(scratch, "c", "d"));
  await checkWritable(scratch);
  expect(readdirSync(scratch)).not.toContain("c");
});

test.each([
  ["a file in the way", "file/run", /\/file is a file; name/],
  ["a name that is too long", `${"x".repeat(300)}/run`, /its name is too long/],
])("%s is told in one sentence, and nothing is made", async (_name, path, says) => {
  for (const attempt of [makeFolder, checkWritable]) {
    const made = attempt(join(scratch, path));
    await expect(made).rejects.toMatchObject({ name: "LejepaError", code: "not-writable" });
    await expect(made).rejects.toThrow(says);
  }
});

test("where the system makes no folders is told at once", async (context) => {
  context.skip(process.platform !== "linux", "only Linux has /proc");
  const made = checkWritable("/proc/lejepa/run");
  await expect(made).rejects.toMatchObject({ code: "not-writable" });
  await expect(made).rejects.toThrow("the system makes no folders in /proc");
});
