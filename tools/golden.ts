/** Runs files of golden values: npm run golden -- [--adapter NAME] FILE...
 *
 *  A case passes when it passes on every installed adapter, or on the one that is named. Prints what differs, and as
 *  the last line for each file "N passed, N failed". Exit code 1 when a case fails or a file or option is wrong. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { compareCase } from "./golden/compare.js";
import { computeCase } from "./golden/compute.js";
import { parseGoldenFile, type GoldenCase, type MalformedCase } from "./golden/golden-file.js";
import { adapterNames, loadAdapter, type AnyAdapter } from "./golden/installed-adapters.js";

const usage = `usage: npm run golden -- [--adapter ${adapterNames.join("|")}] FILE...`;

/** A mistake of the caller, said in one line. */
class UsageError extends Error {}

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

async function startAdapters(wanted: string | undefined): Promise<AnyAdapter[]> {
  const adapters: AnyAdapter[] = [];
  for (const name of wanted === undefined ? adapterNames : [wanted]) {
    const adapter = await loadAdapter(name);
    if (adapter !== undefined) adapters.push(adapter);
    else if (wanted !== undefined)
      throw new UsageError(`the framework of adapter "${name}" is not installed`);
    else console.log(`${name}: left out, its framework is not installed`);
  }
  return adapters;
}

/** What is wrong with a case on each adapter; empty when it passes on all of them. */
async function problemsOf(
  golden: GoldenCase | MalformedCase,
  adapters: readonly AnyAdapter[],
): Promise<string[]> {
  if ("malformed" in golden) return [`malformed: ${golden.malformed}`];
  const problems: string[] = [];
  for (const adapter of adapters) {
    try {
      const outputs = await computeCase(adapter, golden);
      problems.push(
        ...compareCase(golden, outputs, adapter.precision).map(
          (problem) => `${adapter.name}: ${problem}`,
        ),
      );
    } catch (error) {
      problems.push(`${adapter.name}: ${(error as Error).message}`);
    }
  }
  return problems;
}

/** Runs a file and prints its report; false when anything in it failed. */
async function runFile(file: string, adapters: readonly AnyAdapter[]): Promise<boolean> {
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
  console.log(`${file} on ${adapters.map((adapter) => adapter.name).join(", ")}`);
  let failed = 0;
  for (const golden of cases) {
    const problems = await problemsOf(golden, adapters);
    if (problems.length > 0) failed++;
    for (const problem of problems) console.log(`FAILED ${golden.id}: ${problem}`);
  }
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

try {
  const { adapter, files } = readArguments();
  const adapters = await startAdapters(adapter);
  for (const file of files) if (!(await runFile(file, adapters))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`golden: ${error.message}`);
  process.exitCode = 1;
}
