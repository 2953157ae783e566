/** Runs files of golden values: npm run golden -- [--adapter NAME] FILE...
 *
 *  A case passes when it passes on every installed adapter, or on the one that is named. Prints what differs, and as
 *  the last line for each file "N passed, N failed". Exit code 1 when a case fails or a file or option is wrong. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "./command-line.js";
import { compareCase } from "./golden/compare.js";
import { computeCase } from "./golden/compute.js";
import { parseGoldenFile, type GoldenCase, type MalformedCase } from "./golden/golden-file.js";
import { adapterNames, useAdapter } from "./golden/installed-adapters.js";

const usage = `usage: npm run golden -- [--adapter ${adapterNames.join("|")}] FILE...`;

function readArguments(): { adapter: string | undefined; files: string[] } {
  let parsed;
  try {
    parsed = parseArgs({
      options: { adapter: { type: "string" }, help: { type: "boolean" } },
      allowPositionals: true,
    });
  } catch (error) {
    const [sentence] = (error as Error).message.split(". ");
    throw new UsageError(`${sentence}; ${usage}`, { cause: error });
  }
  const { adapter, help } = parsed.values;
  if (help) {
    console.log(usage);
    process.exit(0);
  }
  if (adapter !== undefined && !adapterNames.includes(adapter))
    throw new UsageError(`there is no adapter "${adapter}"; ${usage}`);
  if (parsed.positionals.length === 0) throw new UsageError(`no file given; ${usage}`);
  return { adapter, files: parsed.positionals };
}

/** The names of the adapters to run on: the one that is wanted, or all whose framework is installed. */
async function adaptersToRun(wanted: string | undefined): Promise<string[]> {
  const installed: string[] = [];
  for (const name of wanted === undefined ? adapterNames : [wanted]) {
    if ((await useAdapter(name)) !== undefined) installed.push(name);
    else if (wanted !== undefined)
      throw new UsageError(`the framework of adapter "${name}" is not installed`);
    else console.log(`${name}: left out, its framework is not installed`);
  }
  return installed;
}

/** What is wrong with each case on an adapter; empty where it passes. */
async function problemsOn(
  name: string,
  cases: readonly (GoldenCase | MalformedCase)[],
): Promise<string[][]> {
  const adapter = await useAdapter(name);
  if (adapter === undefined) throw new Error(`${name} was installed a moment ago`);
  const problems: string[][] = [];
  for (const golden of cases) {
    if ("malformed" in golden) problems.push([]);
    else
      try {
        problems.push(
          compareCase(golden, await computeCase(adapter, golden), adapter.precision).map(
            (problem) => `${name}: ${problem}`,
          ),
        );
      } catch (error) {
        problems.push([`${name}: ${(error as Error).message}`]);
      }
  }
  return problems;
}

/** Runs a file and prints its report; false when anything in it failed. */
async function runFile(file: string, adapters: readonly string[]): Promise<boolean> {
  // npm runs scripts in the workspace root; the caller's folder is where file names are meant.
  const path = resolve(process.env["INIT_CWD"] ?? ".", file);
  let cases: (GoldenCase | MalformedCase)[];
  try {
    cases = parseGoldenFile(readFileSync(path, "utf8"));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    console.error(`golden: ${file}: ${code === "ENOENT" ? "there is no such file" : message}`);
    return false;
  }
  console.log(`${file} on ${adapters.join(", ")}`);
  const problems = cases.map((golden) =>
    "malformed" in golden ? [`malformed: ${golden.malformed}`] : [],
  );
  for (const adapter of adapters)
    for (const [i, found] of (await problemsOn(adapter, cases)).entries())
      problems[i]?.push(...found);
  for (const [i, { id }] of cases.entries())
    for (const problem of problems[i] ?? []) console.log(`FAILED ${id}: ${problem}`);
  const failed = problems.filter((found) => found.length > 0).length;
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

try {
  const { adapter, files } = readArguments();
  const adapters = await adaptersToRun(adapter);
  for (const file of files) if (!(await runFile(file, adapters))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`golden: ${error.message}`);
  process.exitCode = 1;
}
