import { createRequire } from "node:module";
import { Command, CommanderError, type OutputConfiguration } from "commander";
import { addDoctorCommand } from "./commands/doctor.js";
import { addEmbedCommand } from "./commands/embed.js";
import { addEvalCommand } from "./commands/eval.js";
import { addGraphCommand } from "./commands/graph.js";
import { addSetupCommand } from "./commands/setup.js";
import { addTrainCommand } from "./commands/train.js";
import { describeFailure } from "./failure.js";

const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

/** Runs the command line `lejepa ARGS` and resolves to its exit code: 0 done, 1 failed, 2 wrong usage.
 *  Results go to standard output, progress and the one line of an error to standard error. */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0;
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
  program.configureOutput(wrongUsage(`The commands are ${names}; see lejepa --help.`));
  for (const command of program.commands)
    command
      .copyInheritedSettings(program)
      .configureOutput(wrongUsage(`See lejepa ${command.name()} --help.`))
      .addHelpText("after", exitCodes);
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has printed its message; asking for help or the version is no error, no command at all is.
    if (error instanceof CommanderError)
      return error.exitCode === 0 && error.code !== "commander.help" ? 0 : 2;
    const failure = describeFailure(error);
    process.stderr.write(`lejepa: ${failure.message}\n`);
    return failure.exitCode;
  }
}

/** A reader that has seen enough (`lejepa graph RUN | head`) is no fault, and no reason to end a training. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

const exitCodes = "\nExit codes: 0 done, 1 failed, 2 wrong usage.";

/** Tells what Commander complains of in one line, without its prefix, and where to look. */
const wrongUsage = (whereToLook: string): OutputConfiguration => ({
  outputError(text, write) {
    const fault = text
      .replace(/^error: /, "")
      .trim()
      .replace(/\s*\n\s*/g, " ");
    write(`lejepa: ${fault.replace(/\.?$/, ".")} ${whereToLook}\n`);
  },
});
