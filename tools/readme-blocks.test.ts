/** TypeScript that a README or a guide shows is a program that runs and prints what stands below it, or is taken word for
 *  word from the file that the line above it links to. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { needs } from "./backends.js";

const root = join(import.meta.dirname, "..");

/** Pages whose blocks are parts of one program, which a test of their own runs. */
const elsewhere = ["docs/guides/writing-an-adapter.md"];

const pages = [
  "README.md",
  ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/README.md`),
  ...readdirSync(join(root, "docs/guides")).map((name) => `docs/guides/${name}`),
].filter((page) => page.endsWith(".md") && !elsewhere.includes(page));

interface Block {
  readonly page: string;
  readonly line: number;
  readonly code: string;
  /** What stands in the block below; nothing where there is none. */
  readonly printed: string;
  /** File that the line above names. */
  readonly source: string | undefined;
}

const blocks = pages.flatMap((page): Block[] => {
  const text = readFileSync(join(root, page), "utf8");
  const found = text.matchAll(/(^.*\n\n)?^```ts\n([^]*?)^```\n(?:\n```\n([^]*?)^```\n)?/gm);
  return [...found].map((match) => {
    const [, before = "", code = "", printed = ""] = match;
    const link = /^From \[.*\]\((.*)\):$/m.exec(before)?.[1];
    return {
      page,
      line: text.slice(0, match.index).split("\n").length,
      code,
      printed,
      source: link && resolve(root, dirname(page), link),
    };
  });
});

let folder: string;
beforeAll(() => {
  // Inside the workspace, where the packages are found by name.
  folder = mkdtempSync(join(import.meta.dirname, ".blocks-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

test("no page shows TypeScript that these tests do not see", () => {
  const marked = pages.map(
    (page) => readFileSync(join(root, page), "utf8").split("```ts\n").length - 1,
  );
  expect(blocks.length).toBe(marked.reduce((sum, count) => sum + count, 0));
  expect(blocks.length).toBeGreaterThan(5);
});

test.each(blocks.filter(({ source }) => source !== undefined))(
  "$page:$line stands in the file that it is from",
  ({ code, source }) => {
    const withoutIndent = (text: string): string => text.replace(/^ +/gm, "");
    expect(withoutIndent(readFileSync(source!, "utf8"))).toContain(withoutIndent(code));
  },
);

test.for(blocks.filter(({ source }) => source === undefined))(
  "$page:$line runs, and prints what it says",
  async ({ page, line, code, printed }, context) => {
    needs(code.includes("engine/setup") ? "tensorflow" : "onnx", context);
    const isTest = code.includes("conformance/vitest");
    const name = `${page.replace(/\W/g, "-")}-${line}`;
    const file = join(folder, isTest ? `${name}.test.ts` : `${name}.ts`);
    writeFileSync(file, code);
    const args = isTest
      ? [join(root, "node_modules/vitest/vitest.mjs"), "run", "--reporter", "default", file]
      : ["--import", "tsx", file];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", FORCE_COLOR: "0" },
    });
    if (isTest) expect(stdout).toMatch(/Tests +\d+ passed \(\d+\)/);
    else expect(stdout).toBe(printed);
  },
);
