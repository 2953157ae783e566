import { resolve } from "node:path";
import { datasetNames, type Dataset } from "@lejepa/data";
import { createEngine, engineNames, type EngineName } from "@lejepa/engine";
import { claimOutput, embedRun, openRun, type Run } from "@lejepa/trainer";
import { InvalidArgumentError, Option, type Command } from "commander";
import { folderOption, openFor } from "../data-folder.js";
import { interruptSignal } from "../interrupt.js";
import { npyFile } from "../npy.js";
import { printJson } from "../print-json.js";
import { embeddingBar } from "../progress.js";

interface EmbedFlags {
  dataset: string;
  folder?: string;
  split: "train" | "test";
  out: string;
  engine: "auto" | EngineName;
  json?: true;
}

/** `lejepa embed RUN`: features of a dataset as NumPy files. */
export function addEmbedCommand(program: Command): void {
  program
    .command("embed")
    .description("Write the features of a dataset as float32 [n, dim] in NumPy's .npy format.")
    .argument("<run>", "run folder")
    .requiredOption("--dataset <name>", `dataset: ${datasetNames().join(", ")}`)
    .addOption(folderOption("the run's, if it is of that dataset; else the installed package"))
    .addOption(
      new Option("--split <name>", "part of it").choices(["train", "test"]).default("test"),
    )
    .requiredOption(
      "--out <file>",
      "file to write, X.npy, in a folder that is made if need be; labels go to X.labels.npy",
      npyPath,
    )
    .addOption(
      new Option("--engine <name>", "what computes")
        .choices(["auto", ...engineNames])
        .default("auto"),
    )
    .option("--json", "print one JSON object as the last line of standard output")
    .addHelpText(
      "after",
      "\nExample:\n  lejepa embed runs/small --dataset mnist --split test --out test.npy",
    )
    .action(async (path: string, flags: EmbedFlags) => {
      const run = await openRun(path);
      const dataset = await openFor(run, flags.dataset, flags.split, flags.folder);
      const labelFile = flags.out.replace(/\.npy$/, ".labels.npy");
      // Before the work, so that a file that cannot be written costs none.
      const output = await claimOutput(flags.out, labelFile);
      try {
        const { features, dim, labels } = await embedded(run, dataset, flags.engine);
        const shape = [dataset.length, dim];
        await output.replace(
          npyFile(features, shape),
          labels === undefined ? null : npyFile(labels, [dataset.length]),
        );
        const files = { out: flags.out, labels: labels === undefined ? null : labelFile };
        if (flags.json) printJson({ run: run.folder, ...files, shape });
        else
          process.stdout.write(
            `${flags.out}: float32 [${dataset.length}, ${dim}]\n` +
              (labels === undefined ? "" : `${labelFile}: int32 [${dataset.length}]\n`),
          );
      } finally {
        await output.release();
      }
    });
}

async function embedded(run: Run, dataset: Dataset, engineName: "auto" | EngineName) {
  const engine = await createEngine(engineName);
  const interrupt = interruptSignal("Stopping soon");
  const progress = embeddingBar(dataset.length);
  try {
    return await embedRun(engine, run, dataset, {
      onProgress: (done) => progress.update(done),
      signal: interrupt.signal,
    });
  } finally {
    progress.stop();
    interrupt.ignore();
    await engine.dispose();
  }
}

function npyPath(text: string): string {
  if (!text.endsWith(".npy")) throw new InvalidArgumentError("Name a file that ends in .npy.");
  return resolve(text);
}
