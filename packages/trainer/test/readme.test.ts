import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

test("the example of the README prints what it says", (context) => {
  needs("onnx", context);
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const [, code, printed] = /```js\n([^]*?)```\n\n```\n([^]*?)```/.exec(readme)!;
  const scratch = mkdtempSync(join(tmpdir(), "lejepa-readme-"));
  try {
    const output = execFileSync(
      process.execPath,
      [
        "--import",
        "tsx",
        "--input-type=module",
        "--eval",
        code!.replace('"RUN"', JSON.stringify(join(scratch, "run"))),
      ],
      {
        cwd: `${import.meta.dirname}/../../..`,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        env: { ...process.env, NODE_OPTIONS: "" },
      },
    );
    expect(output).toBe(printed);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
