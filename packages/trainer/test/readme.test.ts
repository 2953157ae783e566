import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { runReadmeExample } from "../../../tools/readme-example.js";

test("the example of the README prints what it says", (context) => {
  needs("onnx", context);
  const scratch = mkdtempSync(join(tmpdir(), "lejepa-readme-"));
  try {
    const { output, printed } = runReadmeExample(import.meta.dirname, (code) =>
      code.replace('"RUN"', JSON.stringify(join(scratch, "run"))),
    );
    expect(output).toBe(printed);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
