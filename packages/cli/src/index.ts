import { createRequire } from "node:module";
import { Command, CommanderError, type OutputConfiguration } from "commander";
import { refuseEmpty } from "./arguments.js";
import { addDoctorCommand } from "./commands/doctor.js";
import { addEmbedCommand } from "./commands/embed.js";
import { addEvalCommand } from "./commands/eval.js";
import { addGraphCommand } from "./commands/graph.js";
import { addSetupCommand } from "./commands/setup.js";
import { addTrainCommand } from "./commands/train.js";
import { describeFailure, type Failure } from "./failure.js";
import { printJson } from "./print-json.js";

const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

/** Runs the command line `lejepa ARGS` and resolves to its exit code: 0 done, 1 failed, 2 wrong usage.
 *  Results go to standard output, progress and the one line of an error to standard error. With `--json` among ARGS a
 *  failure is one JSON object on standard output too: `{"error": {"code", "message"}, "exitCode"}`. */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  let complaint = "";
  const fail = ({ code, message, exitCode }: Failure): number => {
    process.stderr.write(`lejepa: ${message}\n`);
    if (args.includes("--json")) printJson({ error: { code, message }, exitCode });
    return exitCode;
  };
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosedPipe);
  const program = new Command("lejepa")
    .description(
      "Self-supervised pretraining of vision encoders with LeJEPA (arXiv 2511.08544): train, evaluate, embed.",
    )
    .version(version)
    .addHelpText("after", "\nStart with: lejepa train mnist --probe")
    .exitOverride();
  for (const add of [
    addTrainCommand,
    addEvalCommand,
    addEmbedCommand,
    addGraphCommand,
    addDoctorCommand,
    addSetupCommand,
  ])
    add(program, (code) => (exitCode = code));
  const names = program.commands.map((command) => command.name()).join(", ");
  /** Keeps what Commander complains of, in one line, without its prefix, and where to look. */
  const wrongUsage = (whereToLook: string): OutputConfiguration => ({
    outputError(text) {
      const fault = text
        .replace(/^error: /, "")
        .trim()
        .replace(/\s*\n\s*/g, " ");
      complaint = `${fault.replace(/\.?$/, ".")} ${whereToLook}`;
    },
  });
  program.configureOutput(wrongUsage(`The commands are ${names}; see lejepa --help.`));
  for (const command of program.commands) {
    command.options.filter(({ required }) => required).forEach(refuseEmpty);
    command.registeredArguments.forEach(refuseEmpty);
    command
      .copyInheritedSettings(program)
      .configureOutput(wrongUsage(`See lejepa ${command.name()} --help.`))
      .addHelpText("after", exitCodes);
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return fail(describeFailure(error));
    // Commander has printed help or version, which is no error where they were asked for; no command at all is.
    if (complaint === "") return error.exitCode === 0 && error.code !== "commander.help" ? 0 : 2;
    return fail({ code: "wrong-usage", message: complaint, exitCode: 2 });
  }
}

/** A reader that has seen enough (`lejepa graph RUN | head`) is no fault, and no reason to end a training. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

const exitCodes = "\nExit codes: 0 done, 1 failed, 2 wrong usage.";
