import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../src/command.js";

const root = join(import.meta.dirname, "../../..");
const guide = readFileSync(join(root, "docs/guides/writing-an-adapter.md"), "utf8");
/** The blocks of a language, or of none. */
const blocks = (language: string) =>
  [...guide.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code!);

let folder: string;
let file: string;
beforeAll(() => {
  // Inside the workspace, where the packages are found by name.
  folder = mkdtempSync(join(import.meta.dirname, ".guide-"));
  file = join(folder, "tiny.ts");
  writeFileSync(file, blocks("ts").join("\n"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function conformance(...args: string[]) {
  const lines: string[] = [];
  const code = await main(["conformance", file, ...args], (line) => lines.push(line));
  return { code, lines };
}

test("the adapter of the guide keeps the contract, and the guide prints what the command does", async () => {
  const [filtered, last] = blocks("");
  expect((await conformance("--filter", "matMul/")).lines.join("\n")).toBe(filtered!.trimEnd());
  const { code, lines } = await conformance();
  expect(lines.filter((line) => line.startsWith("FAILED"))).toEqual([]);
  expect(lines.at(-1)).toBe(last!.trimEnd());
  expect(code).toBe(0);
});

test("it compiles under the strict options of the workspace", () => {
  const config = join(folder, "tsconfig.json");
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, "tsconfig.json"), include: ["tiny.ts"] }),
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const output = execFileSync(process.execPath, [tsc, "-p", config], { encoding: "utf8" });
  expect(output).toBe("");
});

test("the loss on it is that of the float64 adapter", async () => {
  const lossOn = async (adapter: string) => {
    const path = join(folder, `loss-on-${adapter}.ts`);
    const imports = [
      'import { directions, lejepaLoss } from "@lejepa/sigreg";',
      adapter === "tiny"
        ? 'import { tinyAdapter } from "./tiny.js";'
        : 'import { float64Adapter as tinyAdapter } from "@lejepa/tensor/float64";',
    ];
    const results = "export default [...k.readSync(value), ...k.readSync(grads[0])];";
    writeFileSync(path, [...imports, ...blocks("js"), results].join("\n"));
    return ((await import(path)) as { default: number[] }).default;
  };
  const expected = await lossOn("float64");
  expect(expected).toHaveLength(9);
  expect(await lossOn("tiny")).toEqual(expected.map((value) => expect.closeTo(value, 5) as number));
});
