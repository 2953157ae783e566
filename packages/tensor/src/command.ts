/** The command of this package: `npx @lejepa/tensor conformance ./my-adapter.js`. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { conformanceCases } from "./conformance/cases.js";
import { runConformance, type ConformanceReport } from "./conformance/run-conformance.js";
import type { TensorAdapter } from "./contract.js";

const usage = `usage: npx @lejepa/tensor conformance FILE [--export NAME] [--filter TEXT] [--json]

Runs the conformance cases of the tensor contract on the adapter that FILE exports: the adapter itself, or a function
without arguments that gives one or a promise of one. It is the default export, or else the only one.

  --export NAME  take the export of that name
  --filter TEXT  run only the cases whose id contains TEXT, such as "matMul/" or "/gradient"
  --json         print the report as JSON
  --help         print this

Exit code 0 when every promise is kept, 1 when a case fails, 2 when the cases could not be run.`;

/** Why the cases could not be run, in a sentence. */
class NotRun extends Error {}

/** Runs the command.
 *  @param args what follows the program's name
 *  @param print takes the lines for standard output
 *  @param complain takes the lines for standard error
 *  @returns the exit code */
export async function main(
  args: readonly string[],
  print: (line: string) => void = console.log,
  complain: (line: string) => void = console.error,
): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help) {
      print(usage);
      return 0;
    }
    const [command, file, ...others] = positionals;
    if (command === undefined) throw new NotRun(`a command is missing. ${seeHelp}`);
    if (command !== "conformance")
      throw new NotRun(`there is no command "${command}", only "conformance". ${seeHelp}`);
    if (file === undefined || others.length > 0)
      throw new NotRun(`conformance takes one file, got ${positionals.length - 1}. ${seeHelp}`);
    const { filter = "" } = values;
    const cases = conformanceCases.filter(({ id }) => id.includes(filter));
    if (cases.length === 0)
      throw new NotRun(`no case has "${filter}" in its id; there are ${conformanceCases.length}.`);
    const report = await runConformance(await load(file, values.export), cases);
    if (values.json) print(JSON.stringify(report, undefined, 2));
    else for (const line of table(report)) print(line);
    return report.failed === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof NotRun)) throw error;
    complain(`lejepa-tensor: ${error.message}`);
    return 2;
  }
}

const seeHelp = "See --help.";

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        export: { type: "string" },
        filter: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    const [sentence] = (error as Error).message.split(". ");
    throw new NotRun(`${sentence}. ${seeHelp}`, { cause: error });
  }
}

/** The adapter that a module exports. */
async function load(file: string, name: string | undefined): Promise<TensorAdapter<unknown>> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as typeof module;
  } catch (error) {
    throw new NotRun(`${file} cannot be imported: ${oneLine(error)}`, { cause: error });
  }
  const names = Object.keys(module);
  const chosen = name ?? (names.includes("default") || names.length !== 1 ? "default" : names[0]!);
  if (!(chosen in module)) {
    const others = names.length === 0 ? "It exports nothing." : `It exports ${names.join(", ")}.`;
    const hint = name === undefined ? " Name the one to take with --export." : "";
    throw new NotRun(`${file} has no export "${chosen}". ${others}${names.length > 0 ? hint : ""}`);
  }
  let adapter = module[chosen];
  if (typeof adapter === "function")
    try {
      adapter = await (adapter as () => unknown)();
    } catch (error) {
      throw new NotRun(`export "${chosen}" of ${file} throws: ${oneLine(error)}`, { cause: error });
    }
  if (typeof adapter !== "object" || adapter === null || !("contractVersion" in adapter))
    throw new NotRun(
      `export "${chosen}" of ${file} is no adapter: an object with contractVersion and the functions of the contract.`,
    );
  return adapter as TensorAdapter<unknown>;
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}

/** The report by function of the contract, then what failed, then the counts. */
function table({ adapter, passed, missing, failed, results }: ConformanceReport): string[] {
  const names = [...new Set(results.map(({ id }) => id.split("/")[0]!))];
  const width = Math.max(8, ...names.map((name) => name.length));
  const row = (name: string, ...cells: (string | number)[]) =>
    name.padEnd(width) + cells.map((cell) => String(cell || "-").padStart(9)).join("");
  const counts = (name: string) =>
    (["passed", "missing", "failed"] as const).map(
      (status) => results.filter((r) => r.status === status && r.id.startsWith(`${name}/`)).length,
    );
  return [
    row("function", "passed", "missing", "failed"),
    ...names.map((name) => row(name, ...counts(name))),
    "",
    ...results
      .filter(({ status }) => status === "failed")
      .map(({ id, reason }) => `FAILED ${id}: ${reason}`),
    `${adapter}: ${passed} passed, ${missing} missing, ${failed} failed`,
  ];
}
