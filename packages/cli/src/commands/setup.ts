import { resolve } from "node:path";
import { removeTensorFlow, setupTensorFlow, type SetupResult } from "@lejepa/engine/setup";
import { Argument, Option, type Command } from "commander";
import { interruptSignal } from "../interrupt.js";
import { printJson } from "../print-json.js";
import { setupProgress } from "../progress.js";

interface SetupFlags {
  gpu?: true;
  from?: string;
  force?: true;
  remove?: true;
  json?: true;
}

/** `lejepa setup tensorflow`: makes the library that the tensorflow engine runs on. */
export function addSetupCommand(program: Command): void {
  program
    .command("setup")
    .description("Fetch or find TensorFlow and build what Node needs to run on it.")
    .addArgument(new Argument("<what>", "what to set up").choices(["tensorflow"]))
    .option("--gpu", "for NVIDIA's GPUs, with CUDA 12 (not yet run on a GPU)")
    .addOption(
      new Option(
        "--from <dir>",
        "link to this TensorFlow (include/, lib/) instead of fetching one",
      ).argParser((text) => resolve(text)),
    )
    .option("--force", "make it anew where there is one")
    .addOption(
      new Option("--remove", "remove what this command made").conflicts(["gpu", "from", "force"]),
    )
    .option("--json", "print one JSON object as the last line of standard output")
    .addHelpText(
      "after",
      `
Fetches TensorFlow's package from PyPI with pip, checks its hash, compiles the addon of @tensorflow/tfjs-node against
its library, and tries both. Needs Linux, Python 3 with pip, a compiler of C++ and that npm package. It is kept in
LEJEPA_TENSORFLOW_DIR, else in your folder of application data. Ctrl-C leaves nothing half-made.

Examples:
  lejepa setup tensorflow
  lejepa setup tensorflow --from /opt/libtensorflow
  lejepa setup tensorflow --remove`,
    )
    .action(async (_what: string, { gpu, from, force, remove, json }: SetupFlags) => {
      const interrupt = interruptSignal("Stopping, and clearing away what is not finished");
      const progress = setupProgress();
      try {
        if (remove) {
          const removed = await removeTensorFlow(interrupt.signal);
          if (json) printJson(removed);
          else process.stdout.write(removedSummary(removed));
          return;
        }
        const result = await setupTensorFlow(
          {
            kind: gpu ? "gpu" : "cpu",
            existing: force ? "replace" : "keep",
            signal: interrupt.signal,
            ...(from !== undefined && { from }),
          },
          progress.onProgress,
        );
        progress.stop();
        if (json) printJson(result);
        else process.stdout.write(madeSummary(result));
      } finally {
        progress.stop();
        interrupt.ignore();
      }
    });
}

const megabytes = (bytes: number): string =>
  bytes < 1e6 ? "under 1 MB" : `${Math.round(bytes / 1e6)} MB`;

function madeSummary({ status, version, kind, directory, from, bytes }: SetupResult): string {
  const what = `TensorFlow ${version} (${kind})`;
  return [
    status === "kept" ? `${what} was there already; nothing to do.` : `${what} is ready.`,
    `  where   ${directory}`,
    `  size    ${megabytes(bytes)}`,
    typeof from === "string"
      ? `  links   ${from}, which has to stay`
      : `  from    PyPI: ${from.join(", ")}`,
    "  undo    lejepa setup tensorflow --remove",
    "",
  ].join("\n");
}

function removedSummary({ directories, bytes }: { directories: string[]; bytes: number }): string {
  if (bytes === 0) return "There was nothing to remove.\n";
  return [...directories, `${megabytes(bytes)} are free again.`, ""].join("\n");
}
