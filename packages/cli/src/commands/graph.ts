import { resolve } from "node:path";
import { createEncoder, type Encoder } from "@lejepa/encoders";
import { createEngine, type Engine, type Explanation } from "@lejepa/engine";
import { claimOutput, mnistPreset, openRun, stepOf, type TrainConfig } from "@lejepa/trainer";
import { InvalidArgumentError, type Command } from "commander";
import { wholeNumber } from "../arguments.js";
import { printJson } from "../print-json.js";

interface GraphFlags {
  encoder?: string;
  batchSize?: number;
  views?: number;
  imageSize?: number;
  channels?: number;
  onnx?: string;
  json?: true;
}

/** `lejepa graph RUN`: what the training step is made of and what it costs. */
export function addGraphCommand(program: Command): void {
  program
    .command("graph")
    .description("Tell what a training step costs on the onnx engine, and write its graph.")
    .argument("[run]", "run folder, whose settings count")
    .option("--encoder <name>", "an encoder in place of a run; other settings as for mnist")
    .option("--batch-size <n>", "images in a step, each in every view", wholeNumber(2))
    .option("--views <n>", "views of each image", wholeNumber(2))
    .option("--image-size <n>", "with --encoder: height and width of the images", wholeNumber(1))
    .option("--channels <n>", "with --encoder: channels of the images", wholeNumber(1))
    .option("--onnx <file>", "write the graph as an ONNX file, X.onnx, to open in Netron", onnxPath)
    .option("--json", "print one JSON object as the last line of standard output")
    .addHelpText(
      "after",
      `
About the onnx engine, whichever engine the run was trained on: TensorFlow's profiler is out of reach. Times are medians
by onnxruntime's profiler; memory is the state, the inputs and what onnxruntime counts.

Examples:
  lejepa graph runs/small --onnx step.onnx
  lejepa graph --encoder conv_mnist --batch-size 128`,
    )
    .action(async (folder: string | undefined, flags: GraphFlags, command: Command) => {
      const { encoder: name, onnx, json } = flags;
      if ((folder === undefined) === (name === undefined))
        command.error("graph needs either a run folder or --encoder NAME.", { exitCode: 2 });
      if (folder !== undefined && (flags.imageSize ?? flags.channels) !== undefined)
        command.error("--image-size and --channels go with --encoder; a run has its own.", {
          exitCode: 2,
        });
      const { config, encoder } =
        folder === undefined ? untrained(name!, flags) : await openRun(folder);
      const { batchSize = config.batchSize, views = config.views } = flags;
      // Before the work, so that a file that cannot be written costs none.
      const output = onnx === undefined ? undefined : await claimOutput(onnx);
      let engine: Engine | undefined;
      try {
        engine = await createEngine("onnx");
        // The step of one process, however many the run is shared out among.
        const training = stepOf({ ...config, batchSize, views, processes: 1 }, encoder);
        const { step, inputs } = training;
        const compiled = await engine.compile(step, { state: training.initialState(0), inputs });
        const { onnx: model, ...told } = await compiled.explain();
        await output?.replace(model, null);
        if (json)
          printJson({ encoder: encoder.name, batchSize, views, onnx: onnx ?? null, ...told });
        else {
          process.stdout.write(
            `${encoder.name}: a training step of ${batchSize} images x ${views} views, ${encoder.imageSize} x ${encoder.imageSize} x ${encoder.channels}\n` +
              `  on ${engine.description}\n\n${tables(told)}` +
              (onnx === undefined ? "" : `Graph           ${onnx}\n`),
          );
        }
      } finally {
        await engine?.dispose();
        await output?.release();
      }
    });
}

/** The settings of mnist around another encoder. */
function untrained(
  name: string,
  { imageSize = mnistPreset.imageSize, channels = mnistPreset.channels }: GraphFlags,
): { config: TrainConfig; encoder: Encoder } {
  const encoder = createEncoder(name, { imageSize, channels });
  return { config: { ...mnistPreset, source: "mnist", encoder: name }, encoder };
}

function onnxPath(text: string): string {
  if (!text.endsWith(".onnx")) throw new InvalidArgumentError("Name a file that ends in .onnx.");
  return resolve(text);
}

/** Operators shown; the rest is one row. */
const rows = 15;

function tables(told: Omit<Explanation, "onnx">): string {
  const { costs, slowest, memory, milliseconds, compileMilliseconds, nodes } = told;
  const row = (op: string, count: number | string, ms: string, share: string): string =>
    `${op.padEnd(28)}${String(count).padStart(7)}${ms.padStart(11)}${share.padStart(10)}\n`;
  const costRow = ({ op, count, milliseconds, share }: Explanation["costs"][number]): string =>
    row(op, count, milliseconds.toFixed(3), `${(100 * share).toFixed(1)} %`);
  const sum = (of: "count" | "milliseconds" | "share"): number =>
    costs.slice(rows).reduce((total, cost) => total + cost[of], 0);
  const rest = {
    op: "others",
    count: sum("count"),
    milliseconds: sum("milliseconds"),
    share: sum("share"),
  };
  const nodeCount = Object.values(nodes).reduce((total, count) => total + count, 0);
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  return (
    row("operator", "nodes", "ms", "share") +
    costs.slice(0, rows).map(costRow).join("") +
    (costs.length > rows ? costRow(rest) : "") +
    "\nSlowest nodes\n" +
    slowest
      .slice(0, 5)
      .map(
        ({ name, milliseconds, calledAt }) =>
          `${name.padEnd(35)}${milliseconds.toFixed(3).padStart(11)}  ${calledAt ?? ""}\n`,
      )
      .join("") +
    `\nA step          ${milliseconds.toFixed(1)} ms, ${nodeCount} nodes, compiled in ${compileMilliseconds.toFixed(0)} ms\n` +
    `Memory at peak  ${mb(memory.peakBytes)}: state ${mb(memory.stateBytes)}, inputs ${mb(memory.inputBytes)}, in onnxruntime ${mb(memory.arenaPeakBytes)} (${mb(memory.arenaHeldBytes)} held)\n`
  );
}
