import { readFileSync } from "node:fs";
import { format } from "node:util";
import * as data from "@lejepa/data";
import { expect, test } from "vitest";

test("the example of the README prints what it says", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, code, printed] = /```js\n([^]*?)```\n\n```\n([^]*?)```/.exec(readme)!;
  const body = code!.replace(/import (\{.*\}) from "@lejepa\/data";/, "const $1 = data;");
  const lines: string[] = [];
  const log = (...values: unknown[]) => lines.push(format(...values));
  const AsyncFunction = (async () => {}).constructor as new (
    ...source: string[]
  ) => (...values: unknown[]) => Promise<void>;
  await new AsyncFunction("data", "console", body)(data, { log });
  expect(`${lines.join("\n")}\n`).toBe(printed);
});
