import { rename, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { datasetNames } from "@lejepa/data";
import { createEngine, engineNames, type EngineName } from "@lejepa/engine";
import { embedRun, makeFolder, openRun } from "@lejepa/trainer";
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
      // Before the work, so that a folder that cannot be made costs none.
      await makeFolder(dirname(flags.out));
      const engine = await createEngine(flags.engine);
      const interrupt = interruptSignal("Stopping soon");
      const progress = embeddingBar(dataset.length);
      try {
        const { features, dim, labels } = await embedRun(engine, run, dataset, {
          onProgress: (done) => progress.update(done),
          signal: interrupt.signal,
        });
        progress.stop();
        const labelFile = flags.out.replace(/\.npy$/, ".labels.npy");
        await writeArray(flags.out, features, [dataset.length, dim]);
        if (labels !== undefined) await writeArray(labelFile, labels, [dataset.length]);
        const files = { out: flags.out, labels: labels === undefined ? null : labelFile };
        if (flags.json) printJson({ run: run.folder, ...files, shape: [dataset.length, dim] });
        else
          process.stdout.write(
            `${flags.out}: float32 [${dataset.length}, ${dim}]\n` +
              (labels === undefined ? "" : `${labelFile}: int32 [${dataset.length}]\n`),
          );
      } finally {
        progress.stop();
        interrupt.ignore();
        await engine.dispose();
      }
    });
}

function npyPath(text: string): string {
  if (!text.endsWith(".npy")) throw new InvalidArgumentError("Name a file that ends in .npy.");
  return resolve(text);
}

/** Writes beside and renames, so that a reader never sees half an array. */
async function writeArray(
  file: string,
  data: Float32Array | Int32Array,
  shape: number[],
): Promise<void> {
  const aside = `${file}.${process.pid}.tmp`;
  await writeFile(aside, npyFile(data, shape));
  await rename(aside, file);
}
