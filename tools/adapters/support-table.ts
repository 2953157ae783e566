/** What each adapter of the tensor contract can do on each of its backends, found by running the conformance cases. */
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { defaultDevice, init, type Device } from "@jax-js/jax";
import { characteristicMeans } from "@lejepa/ops";
import type { Capability, TensorAdapter } from "@lejepa/tensor";
import {
  conformanceCases,
  runConformance,
  type ConformanceReport,
} from "@lejepa/tensor/conformance";
import { float64Adapter } from "@lejepa/tensor/float64";
import { jaxAdapter } from "@lejepa/tensor/jax";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import * as tf from "@tensorflow/tfjs-core";
import { onnxEngineBackend } from "./onnx-engine-backend.js";

export const supportTablePath = "docs/adapters.md";

/** An adapter as it was tried. */
export interface Tried {
  /** How it is made, in code. */
  readonly adapter: string;
  /** What it computed on, in words. */
  readonly backend: string;
  readonly precision: string;
  readonly capabilities: readonly Capability[];
  readonly report: ConformanceReport;
}

/** In the order of the contract. */
const capabilityNames: readonly Capability[] = [
  "readSync",
  "valueAndGrad",
  "customGradient",
  "sort",
  "allReduceMean",
  "characteristicMeans",
];

/** Runs the cases on an adapter.
 *  @param cases those to run, if not all
 *  @param before a report whose results stand for the cases that are not run */
async function tried<T>(
  how: string,
  backend: string,
  adapter: TensorAdapter<T>,
  cases = conformanceCases,
  before?: ConformanceReport,
): Promise<Tried> {
  const { precision, capabilities } = adapter;
  const { adapter: name, results: run } = await runConformance(adapter, cases);
  const results = before
    ? before.results.map((old) => run.find(({ id }) => id === old.id) ?? old)
    : run;
  const count = (status: string) => results.filter((r) => r.status === status).length;
  const report = {
    adapter: name,
    passed: count("passed"),
    missing: count("missing"),
    failed: count("failed"),
    results,
  };
  return { adapter: how, backend, precision, capabilities, report };
}

/** Tries the tfjs adapter, without and with what `@lejepa/ops` adds, on a backend of tfjs by its name. */
export async function onTfjs(name: string, backend: string): Promise<Tried[]> {
  if (!(await tf.setBackend(name))) throw new Error(`tfjs has no backend ${name}`);
  const plain = await tried("tfjsAdapter()", backend, tfjsAdapter());
  const whole = await tried(
    "tfjsAdapter({ characteristicMeans })",
    backend,
    tfjsAdapter({ characteristicMeans }),
    // All else is the same functions, which have been run.
    conformanceCases.filter(({ needs }) => needs.includes("characteristicMeans")),
    plain.report,
  );
  return [plain, whole];
}

async function onJax(device: Device, backend: string): Promise<Tried> {
  const before = defaultDevice();
  if (!(await init(device)).includes(device)) throw new Error(`jax-js has no device ${device}`);
  defaultDevice(device);
  try {
    return await tried("jaxAdapter()", backend, jaxAdapter());
  } finally {
    defaultDevice(before);
  }
}

/** Runs every case on every adapter and backend of this machine that the table has. */
export async function tryAdapters(): Promise<Tried[]> {
  tf.enableProdMode(); // no advertisement
  return [
    await tried("float64Adapter()", "plain arrays", float64Adapter()),
    ...(await onTfjs("cpu", "tfjs-backend-cpu")),
    ...(await onTfjs("wasm", "tfjs-backend-wasm")),
    ...(await onTfjs(onnxEngineBackend(), "the onnx engine of @lejepa/engine")),
    await onJax("wasm", "device wasm"),
    await onJax("cpu", "device cpu (interpreted)"),
  ];
}

const cells = (row: readonly (string | number)[]) => `| ${row.join(" | ")} |`;

/** The page, from what was tried. */
export async function supportTable(all: readonly Tried[]): Promise<string> {
  const broken = all.flatMap(({ adapter, backend, report }) =>
    report.results
      .filter(({ status }) => status === "failed")
      .map(({ id, reason }) => `- \`${adapter}\` on ${backend}: \`${id}\`: ${reason}`),
  );
  const page = `# What each adapter of the tensor contract can do

Written by \`npx tsx tools/adapter-table.ts\`, which runs the ${all[0]?.report.results.length} conformance cases on each adapter and backend; a test checks that it is current. "yes" is a capability that works, "throws" one that is declared missing: its call throws a \`LejepaError\` with code \`unsupported\`. Every function of the contract that is no capability works everywhere.

${cells(["adapter", "backend", "precision", ...capabilityNames.map((name) => `\`${name}\``), "passed", "missing", "failed"])}
${cells(Array.from({ length: 6 + capabilityNames.length }, () => "---"))}
${all
  .map(({ adapter, backend, precision, capabilities, report }) =>
    cells([
      `\`${adapter}\``,
      backend,
      precision,
      ...capabilityNames.map((name) => (capabilities.includes(name) ? "yes" : "throws")),
      report.passed,
      report.missing,
      report.failed,
    ]),
  )
  .join("\n")}

The \`characteristicMeans\` that the tfjs adapter is given here is that of \`@lejepa/ops\`. \`allReduceMean\` belongs to an adapter that knows about processes, as \`tfjsAdapter({ processes })\` does.
${broken.length === 0 ? "" : `\n## Promises that are broken\n\n${broken.join("\n")}\n`}`;
  const { format } = await import("prettier");
  return format(page, { parser: "markdown" });
}
