import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder, removeEmptyFolders } from "./writable-folder.js";

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

test("of several calls at once each folder is made by one", async () => {
  const levels = ["m", "m/n", "m/n/o"].map((path) => join(scratch, path));
  const made = await Promise.all(Array.from({ length: 8 }, () => makeFolder(levels[2]!)));
  expect(made.flat().sort()).toEqual(levels);
});

test("what is made while others take their empty folders away is there in the end", async () => {
  const above = join(scratch, "busy");
  let isOver = false;
  const others = Array.from({ length: 3 }, async (_, i) => {
    while (!isOver) await removeEmptyFolders(await makeFolder(join(above, `other-${i}`)));
  });
  for (let i = 0; i < 50; i++) {
    const folder = join(above, `mine-${i}`);
    const made = await makeFolder(folder);
    expect(made).toContain(folder);
    expect(existsSync(folder)).toBe(true);
    await removeEmptyFolders(made);
  }
  isOver = true;
  await Promise.all(others);
});

test("folders are taken away as far as nothing is in them", async () => {
  const made = await makeFolder(join(scratch, "x", "y", "z"));
  writeFileSync(join(scratch, "x", "kept"), "");
  await removeEmptyFolders(made);
  expect(readdirSync(join(scratch, "x"))).toEqual(["kept"]);
});

test.each([
  ["a file in the way", "file/run", /\/file is a file; name/],
  ["a file of that name", "file", /\/file is a file; name/],
  ["a name that is too long", `${"x".repeat(300)}/run`, /its name is too long/],
])("%s is told in one sentence, and nothing is made", async (_name, path, says) => {
  const made = makeFolder(join(scratch, path));
  await expect(made).rejects.toMatchObject({ name: "LejepaError", code: "not-writable" });
  await expect(made).rejects.toThrow(says);
});

test("where the system makes no folders is told at once", async (context) => {
  context.skip(process.platform !== "linux", "only Linux has /proc");
  const made = makeFolder("/proc/lejepa/run");
  await expect(made).rejects.toMatchObject({ code: "not-writable" });
  await expect(made).rejects.toThrow("the system makes no folders in /proc");
});
