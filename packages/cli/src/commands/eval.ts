import { datasetNames, type Dataset } from "@lejepa/data";
import { createEngine, engineNames, type EngineName } from "@lejepa/engine";
import { knnProbe, linearProbe } from "@lejepa/eval";
import { embedRun, labelled, openRun } from "@lejepa/trainer";
import { Option, type Command } from "commander";
import { folderOption, openFor } from "../data-folder.js";
import { interruptSignal } from "../interrupt.js";
import { printJson } from "../print-json.js";
import { embeddingBar } from "../progress.js";

const probes = { linear: linearProbe, knn: knnProbe };

interface EvalFlags {
  dataset: string;
  folder?: string;
  probe?: keyof typeof probes;
  engine: "auto" | EngineName;
  json?: true;
}

/** `lejepa eval RUN`: accuracies of a run's frozen features. */
export function addEvalCommand(program: Command): void {
  program
    .command("eval")
    .description(
      "Measure how well probes read the labels of a dataset from a run's frozen features.",
    )
    .argument("<run>", "run folder")
    .requiredOption("--dataset <name>", `labelled dataset: ${datasetNames().join(", ")}`)
    .addOption(folderOption("the run's, if it is of that dataset; else the installed package"))
    .addOption(
      new Option(
        "--probe <kind>",
        "linear (logistic regression) or knn (k = 20); both if left out",
      ).choices(Object.keys(probes)),
    )
    .addOption(
      new Option("--engine <name>", "what computes")
        .choices(["auto", ...engineNames])
        .default("auto"),
    )
    .option("--json", "print one JSON object as the last line of standard output")
    .addHelpText("after", "\nExample:\n  lejepa eval runs/small --dataset mnist --probe knn")
    .action(async (path: string, flags: EvalFlags) => {
      const { dataset, folder, probe, engine: name, json } = flags;
      const run = await openRun(path);
      const splits: Dataset[] = [];
      for (const split of ["train", "test"] as const)
        splits.push(await openFor(run, dataset, split, folder));
      const engine = await createEngine(name);
      const interrupt = interruptSignal("Stopping soon");
      const { signal } = interrupt;
      const progress = embeddingBar(splits[0]!.length + splits[1]!.length);
      try {
        const features = [];
        let before = 0;
        for (const split of splits) {
          const onProgress = (done: number): void => progress.update(before + done);
          features.push(
            labelled(await embedRun(engine, run, split, { onProgress, signal }), split),
          );
          before += split.length;
        }
        progress.stop();
        const [train, test] = features as [(typeof features)[0], (typeof features)[0]];
        const accuracies: Record<string, number> = {};
        for (const kind of probe === undefined ? (["linear", "knn"] as const) : [probe]) {
          const { accuracy } = await probes[kind](engine, { train, test }, { signal });
          accuracies[kind] = accuracy;
          if (!json)
            process.stdout.write(
              `${kind.padEnd(8)}${(100 * accuracy).toFixed(2)} % of ${dataset} test\n`,
            );
        }
        if (json)
          printJson({
            run: run.folder,
            dataset,
            step: run.step,
            engine: engine.name,
            ...accuracies,
            ...(probe !== undefined && { probe, accuracy: accuracies[probe] }),
          });
      } finally {
        progress.stop();
        interrupt.ignore();
        await engine.dispose();
      }
    });
}
