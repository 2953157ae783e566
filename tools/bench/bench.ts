/** `npm run bench -- step|peers|scaling|processes|passes|sigreg [options]`: the speed bars. Timing runs here, never in a test. */
import { parseArgs } from "node:util";
import { engineNames } from "@lejepa/engine";
import { runCommand, UsageError, wholeNumber } from "../command-line.js";
import { measurePasses } from "./passes.js";
import { comparePeers, ourPeers, type OurPeer } from "./peers.js";
import { models, references, type Model } from "./reference-steps.js";
import { measureProcesses, sharedEngines } from "./processes.js";
import { measureScaling } from "./scaling.js";
import { compareSigreg } from "./sigreg.js";
import { measureStep } from "./step.js";

const usage = `npm run bench -- step --model MODEL [--engine onnx|tensorflow|eager] [--steps N] [--json]
npm run bench -- peers [--model MODEL,..] [--engine PEER,..] [--size N] [--rounds N] [--json]
npm run bench -- scaling [--model vit|conv] [--threads N,..] [--rounds N] [--json]
npm run bench -- processes [--model MODEL,..] [--engine onnx|tensorflow,..] [--rounds N] [--json]
npm run bench -- passes [--model MODEL,..] [--rounds N] [--json]
npm run bench -- sigreg [--rounds N] [--json]

MODEL   vit and conv: 4 views x 128 images of 28x28; vit-tiny (patch 16) and resnet18: 4 views x 32 images of 64x64.

step    Times one training step and prints its losses, and what compiling and the first step take in a new process.
peers   Runs each step beside its PyTorch twins (eager, torch.compile), interleaved, and prints the ratios;
        all models when none is named. PEER: onnx, tensorflow (needs npm run setup:tensorflow), tfjs-node (the same
        library, operation by operation); the first two when none is named. SIZE: images of each view. Needs python3 with torch 2.13 (pip install torch==2.13.0) and a C++ compiler.
scaling Time per image at 64, 256, 1024 and 4096 images a step, interleaved, on 1 and 2 threads.
processes
        Each step in one process of two threads, in one of one, and shared out among two of one each, interleaved; vit
        and conv on onnx and tensorflow when none is named.
passes  Each step without one pass of the onnx engine after the other, interleaved with the step as it is, on one thread:
        the ratios of the processor's times, and the nodes; all models when none is named.
sigreg  Value and gradient of SIGReg alone, in closed form, on ONNX, TensorFlow and tfjs, beside the formula in PyTorch; peak
        memory, which takes some 8 GB for the formula; and how time grows with N, D and S.`;

await runCommand(async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      model: { type: "string" },
      engine: { type: "string" },
      size: { type: "string" },
      steps: { type: "string" },
      rounds: { type: "string", default: "7" },
      threads: { type: "string", default: "1,2" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [what, ...rest] = positionals;
  if (values.help) console.log(usage);
  else if (rest.length > 0)
    throw new UsageError(`bench: takes one name, got ${positionals.join(" ")}.`);
  else if (what === "step") {
    const engine = oneOf("engine", values.engine ?? "onnx", engineNames);
    const model = oneOf("model", values.model, models);
    // Slow steps run as often as the losses need and no more.
    const isQuick = engine !== "eager" && references[model].stepsPerTurn >= 10;
    const steps = atLeast("steps", values.steps ?? (isQuick ? "60" : "20"), 20);
    const result = await measureStep(model, engine, steps);
    if (!values.json)
      console.log(
        `${model} on ${engine}: ${result.min_ms} ms least, ${result.median_ms} ms median; first step ${result.first_step_ms} ms, of which compiling ${result.compile_ms} ms`,
      );
    console.log(JSON.stringify(result));
  } else if (what === "peers") {
    const chosen: readonly Model[] =
      values.model?.split(",").map((name) => oneOf("model", name, models)) ?? models;
    const ours: readonly OurPeer[] = (values.engine ?? "onnx,tensorflow")
      .split(",")
      .map((name) => oneOf("engine", name, ourPeers));
    const size = values.size === undefined ? undefined : atLeast("size", values.size, 2);
    const result = await comparePeers(chosen, ours, atLeast("rounds", values.rounds, 5), size);
    if (values.json) console.log(JSON.stringify(result));
  } else if (what === "scaling") {
    const model = oneOf("model", values.model ?? "vit", ["vit", "conv"] as const);
    const threads = values.threads.split(",").map((count) => atLeast("threads", count, 1));
    const result = await measureScaling(model, threads, atLeast("rounds", values.rounds, 3));
    if (values.json) console.log(JSON.stringify(result));
  } else if (what === "processes") {
    const chosen = (values.model ?? "vit,conv")
      .split(",")
      .map((name) => oneOf("model", name, models));
    const engines = (values.engine ?? sharedEngines.join())
      .split(",")
      .map((name) => oneOf("engine", name, sharedEngines));
    const result = await measureProcesses(chosen, engines, atLeast("rounds", values.rounds, 3));
    if (values.json) console.log(JSON.stringify(result));
  } else if (what === "passes") {
    const chosen = values.model?.split(",").map((name) => oneOf("model", name, models)) ?? models;
    const result = await measurePasses(chosen, atLeast("rounds", values.rounds, 1));
    if (values.json) console.log(JSON.stringify(result));
  } else if (what === "sigreg") {
    const result = await compareSigreg(atLeast("rounds", values.rounds, 3));
    if (values.json) console.log(JSON.stringify(result));
  } else throw new UsageError(`bench: unknown benchmark ${what ?? "(none)"}.\n${usage}`);
});

function oneOf<T extends string>(
  option: string,
  value: string | undefined,
  allowed: readonly T[],
): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined)
    throw new UsageError(
      `bench: --${option} takes ${allowed.join(" or ")}, got ${value ?? "nothing"}.`,
    );
  return found;
}

function atLeast(option: string, text: string, least: number): number {
  return wholeNumber("bench", option, text, least);
}
