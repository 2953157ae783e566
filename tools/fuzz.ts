/** `npm run fuzz [-- options]`: random programs, eager against each engine (packages/engine/test/random-programs). */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCampaign, type Found } from "../packages/engine/test/random-programs/campaign.js";
import { operations } from "../packages/engine/test/random-programs/operations.js";
import { targetNames } from "../packages/engine/test/random-programs/targets.js";
import { runCommand, UsageError, wholeNumber } from "./command-line.js";

const usage = `npm run fuzz [-- --programs N] [--seed N] [--engine NAME,..] [--operation ROW,..] [--processes N] [--out FOLDER]

--programs   how many; 500 when left out
--seed       of the first one, the others follow; 1 when left out. A failure comes back with its seed and --programs 1
--engine     ${targetNames.join(", ")}: onnx is blocked convolutions, gathered is the same engine without them,
             wasm is eager on tfjs's wasm backend; onnx,gathered when left out. All are held to eager on tfjs's cpu.
--operation  rows of the table to draw from, such as tf.conv2d,tf.relu; all when left out
--processes  that check at once; 2 when left out
--shrink     how many failures at most are made smaller; all when left out
--out        folder for the smallest failing programs, one file each that runs by itself from the root

Ends with status 1 when a program failed.`;

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      programs: { type: "string", default: "500" },
      seed: { type: "string", default: "1" },
      engine: { type: "string", default: "onnx,gathered" },
      operation: { type: "string" },
      processes: { type: "string", default: "2" },
      shrink: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const whole = (option: "programs" | "seed" | "processes", least: number) =>
    wholeNumber("fuzz", option, values[option], least);
  const [programs, first, processes] = [
    whole("programs", 1),
    whole("seed", 0),
    whole("processes", 1),
  ];
  const targets = values.engine.split(",").map((name) => oneOf("engine", name, targetNames));
  const rows = values.operation
    ?.split(",")
    .map((name) => oneOf("operation", name, Object.keys(operations)));
  const folder = values.out;
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const start = performance.now();
  let shown = start;
  const result = await runCampaign({
    first,
    programs,
    targets,
    processes,
    ...(rows && { generate: { rows } }),
    ...(values.shrink !== undefined && { shrunk: wholeNumber("fuzz", "shrink", values.shrink, 0) }),
    onProgram: (done, failures) => {
      if (performance.now() - shown < 10_000 && done < programs) return;
      shown = performance.now();
      console.log(`${done} of ${programs} programs, ${failures} failures, ${seconds(start)} s`);
    },
    onFailure: (found) => {
      console.log(report(found));
      if (folder !== undefined) writeFileSync(join(folder, fileName(found)), found.source);
    },
  });
  console.log(
    `\n${result.programs} programs of ${result.operations} operations from seed ${first} in ${seconds(start)} s; ` +
      `${result.rows.size} of ${Object.keys(operations).length} operations were drawn; ${result.compared} numbers were compared, ` +
      `of which rounding leaves ${result.undecided} undecided`,
  );
  for (const [target, counts] of result.verdicts)
    console.log(`${target}: ${[...counts].map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
  for (const [reason, count] of [...result.refusals].sort(([, a], [, b]) => b - a))
    console.log(`${count} refused on ${reason.slice(0, 200)}`);
  const kinds = new Map<string, Found[]>();
  for (const found of result.failures)
    kinds.set(found.kind, [...(kinds.get(found.kind) ?? []), found]);
  for (const [kind, found] of [...kinds].sort(([, a], [, b]) => b.length - a.length))
    console.log(
      `${found.length} × ${kind}; seeds ${found
        .map(({ seed }) => seed)
        .slice(0, 8)
        .join(", ")}`,
    );
  if (result.failures.length > 0) process.exitCode = 1;
});

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(0);
}

function fileName({ seed, target }: Found): string {
  return `${target}-${seed}.mjs`;
}

/** What is longer is left to the folder. */
function report({ seed, target, gradients, verdict, source, kind }: Found): string {
  const what = "message" in verdict ? verdict.message : "";
  const head = `\n// ${kind}\n// seed ${seed} on ${target}, derivative rules of ${gradients}: ${what}\n`;
  if (source.length <= 8000) return head + source;
  return `${head}// ${source.length} characters long: --seed ${seed} --programs 1 --out FOLDER writes it\n`;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined)
    throw new UsageError(`fuzz: --${option} takes ${allowed.join(", ")}, got ${value}.`);
  return found;
}
