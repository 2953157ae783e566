import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import { mnist } from "@lejepa/data";
import { engineReport } from "@lejepa/engine";
import { findTensorFlow } from "@lejepa/engine/setup";
import type { Command } from "commander";
import { printJson } from "../print-json.js";

const packages = [
  "@lejepa/engine",
  "@lejepa/trainer",
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-backend-wasm",
  "onnxruntime-node",
  "@tensorflow/tfjs-node",
];

/** `lejepa doctor`: what is installed here, and what would run. */
export function addDoctorCommand(program: Command, exit: (code: 0 | 1) => void): void {
  program
    .command("doctor")
    .description("Tell what is installed here, and which engine would run and why.")
    .option("--json", "print one JSON object as the last line of standard output")
    .action(async ({ json }: { json?: true }) => {
      const { engines, auto, reason } = await engineReport();
      const versions = Object.fromEntries(packages.map((name) => [name, installedVersion(name)]));
      const report = {
        node: process.version,
        platform: `${process.platform} ${process.arch}`,
        cores: availableParallelism(),
        memoryGiB: Math.round(totalmem() / 2 ** 30),
        packages: versions,
        tensorflow: await tensorFlowState(),
        datasets: { mnist: await mnistState() },
        engines,
        auto: auto ?? null,
        reason,
      };
      if (auto === undefined) exit(1);
      if (json) return printJson(report);
      const line = (name: string, text: string): string => `  ${name.padEnd(32)}${text}\n`;
      process.stdout.write(
        `Node ${report.node} on ${report.platform}, ${report.cores} cores, ${report.memoryGiB} GiB\n\nPackages\n` +
          Object.entries(versions)
            .map(([name, version]) => line(name, version ?? "not installed"))
            .join("") +
          `\nTensorFlow\n${line("tensorflow", report.tensorflow.detail)}` +
          `\nDatasets\n${line("mnist", report.datasets.mnist.detail)}\nEngines\n` +
          engines
            .map(({ name, available, detail }) =>
              line(name, `${available ? "ready" : "missing"}: ${detail}`),
            )
            .join("") +
          `\nauto runs ${auto ?? "nothing"}: ${reason}\n`,
      );
    });
}

function installedVersion(name: string): string | null {
  try {
    const require = createRequire(import.meta.url);
    return (require(`${name}/package.json`) as { version: string }).version;
  } catch {
    return null;
  }
}

async function tensorFlowState(): Promise<{ available: boolean; detail: string }> {
  const found = await findTensorFlow();
  if (found === undefined)
    return {
      available: false,
      detail: `not here: run "npm install --ignore-scripts @tensorflow/tfjs-node@4", then "lejepa setup tensorflow"`,
    };
  const { kind, version, source, directory } = found;
  const by = source === "setup" ? "lejepa setup" : "tfjs-node's install script";
  return { available: true, detail: `found: ${version} (${kind}), by ${by}, in ${directory}` };
}

async function mnistState(): Promise<{ available: boolean; detail: string }> {
  try {
    const { length } = await mnist({ split: "test" });
    return { available: true, detail: `ready: ${length} test images` };
  } catch (error) {
    return { available: false, detail: (error as Error).message };
  }
}
