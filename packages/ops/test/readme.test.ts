import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("the example of the README prints what it says", () => {
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const [, code, printed] = /```js\n([^]*?)```\n\n```\n([^]*?)```/.exec(readme)!;
  const output = execFileSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", code!],
    {
      cwd: `${import.meta.dirname}/../../..`,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", FORCE_COLOR: "0" },
    },
  );
  expect(output).toBe(printed);
});
