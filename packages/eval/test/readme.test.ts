import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

test("the example of the README prints what it says", (context) => {
  needs("onnx", context);
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const [, code, printed] = /```js\n([^]*?)```\n\n```\n([^]*?)```/.exec(readme)!;
  const output = execFileSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", code!],
    {
      cwd: `${import.meta.dirname}/../../..`,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, NODE_OPTIONS: "" },
    },
  );
  expect(output).toBe(printed);
});
