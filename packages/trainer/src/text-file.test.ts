import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readTextFile } from "./text-file.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lejepa-text-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a byte-order mark is no part of the text", () => {
  writeFileSync(join(folder, "a"), "\ufeff{}\r\n");
  expect(readTextFile(join(folder, "a"))).toBe("{}\r\n");
});

test("what is not there is nothing, also below a file", () => {
  writeFileSync(join(folder, "a"), "");
  expect(readTextFile(join(folder, "b"))).toBeUndefined();
  expect(readTextFile(join(folder, "a", "b"))).toBeUndefined();
  symlinkSync("nowhere", join(folder, "c"));
  expect(readTextFile(join(folder, "c"))).toBeUndefined();
});

test.each([
  ["a folder", (at: string) => mkdirSync(at), /a folder, or no plain file/],
  ["a pipe", (at: string) => execFileSync("mkfifo", [at]), /a folder, or no plain file/],
  ["a link to itself", (at: string) => symlinkSync(at, at), /leads to itself/],
  ["UTF-16", (at: string) => writeFileSync(at, "\ufeff{}", "utf16le"), /no UTF-8 text/],
])("%s is told from what is missing", (_name, make, says) => {
  const at = join(folder, "config.json");
  make(at);
  const read = (): unknown => readTextFile(at);
  expect(read).toThrow(expect.objectContaining({ code: "unreadable-file" }));
  expect(read).toThrow(says);
});

test("a file that may not be read says so", () => {
  const at = join(folder, "config.json");
  writeFileSync(at, "{}");
  chmodSync(at, 0);
  // The superuser may read every file.
  const isSuperuser = process.geteuid?.() === 0;
  if (isSuperuser) process.seteuid!(65534);
  try {
    expect(() => readTextFile(at)).toThrow(/you may not read it/);
  } finally {
    if (isSuperuser) process.seteuid!(0);
  }
});
