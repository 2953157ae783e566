import { readFileSync } from "node:fs";
import { format } from "node:util";
import * as engine from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

test("the example of the README prints what it says", async (context) => {
  needs("onnx", context);
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const [, code, printed] = /```js\n([^]*?)```\n\n```\n([^]*?)```/.exec(readme)!;
  const body = code!
    .replace(/import (\{.*\}) from "@lejepa\/engine";/, "const $1 = package_;")
    .replace(/import \* as tf .*/, "");
  const lines: string[] = [];
  const log = (...values: unknown[]) => lines.push(format(...values));
  const AsyncFunction = (async () => {}).constructor as new (
    ...source: string[]
  ) => (...values: unknown[]) => Promise<void>;
  await new AsyncFunction("package_", "tf", "console", body)(engine, tf, { log });
  expect(`${lines.join("\n")}\n`).toBe(printed);
});
