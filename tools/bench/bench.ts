/** `npm run bench -- step|peers [options]`: the speed bars. Timing runs here, never in a test. */
import { parseArgs } from "node:util";
import { comparePeers } from "./peers.js";
import { measureStep, models, type Model } from "./step.js";

const usage = `npm run bench -- step --model vit|conv [--engine onnx|eager] [--steps N] [--json]
npm run bench -- peers [--model vit|conv] [--rounds N] [--json]

step    Times one of the two reference training steps (4 views x 128 images of 28x28) and prints its losses.
peers   Runs each step beside its PyTorch twins (eager, torch.compile), interleaved, and prints the ratios.
        Needs python3 with torch 2.13 (pip install torch==2.13.0) and a C++ compiler.`;

try {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      model: { type: "string" },
      engine: { type: "string", default: "onnx" },
      steps: { type: "string" },
      rounds: { type: "string", default: "7" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [what, ...rest] = positionals;
  if (values.help) console.log(usage);
  else if (rest.length > 0)
    throw new RangeError(`bench: takes one name, got ${positionals.join(" ")}.`);
  else if (what === "step") {
    const engine = oneOf("engine", values.engine, ["onnx", "eager"] as const);
    // An eager step takes seconds: its 20 steps are what the losses need and no more.
    const steps = atLeast("steps", values.steps ?? (engine === "eager" ? "20" : "60"), 20);
    const result = await measureStep(oneOf("model", values.model, models), engine, steps);
    if (!values.json)
      console.log(
        `${result.model} on ${result.engine}: ${result.min_ms} ms least, ${result.median_ms} ms median`,
      );
    console.log(JSON.stringify(result));
  } else if (what === "peers") {
    const chosen: readonly Model[] =
      values.model === undefined ? models : [oneOf("model", values.model, models)];
    const result = await comparePeers(chosen, atLeast("rounds", values.rounds, 5));
    if (values.json) console.log(JSON.stringify(result));
  } else throw new RangeError(`bench: unknown benchmark ${what ?? "(none)"}.\n${usage}`);
} catch (error) {
  const usageError =
    error instanceof RangeError ||
    String((error as { code?: string }).code).startsWith("ERR_PARSE");
  console.error(usageError ? (error as Error).message : error);
  process.exitCode = usageError ? 2 : 1;
}

function oneOf<T extends string>(
  option: string,
  value: string | undefined,
  allowed: readonly T[],
): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined)
    throw new RangeError(
      `bench: --${option} takes ${allowed.join(" or ")}, got ${value ?? "nothing"}.`,
    );
  return found;
}

function atLeast(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(
      `bench: --${option} takes a whole number of at least ${least}, got ${text}.`,
    );
  return value;
}
