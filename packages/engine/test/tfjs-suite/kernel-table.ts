/** The table of kernels in docs/kernels.md. */
import { format } from "prettier";
import { loweringTable, onnxTarget } from "../../src/kernels/table.js";
import { tensorflowTarget } from "../../src/tensorflow/kernels.js";
import { expectedOnnxFailures, expectedTensorFlowFailures } from "./expected-failures.js";
import { failed, type CaseResult } from "./results.js";
import type { TfjsSuite } from "./suite.js";

/** Relative to the root of the workspace. */
export const kernelTablePath = "docs/kernels.md";

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
const header = (...names: readonly string[]): string =>
  [row(...names), row(...names.map(() => "---"))].join("\n");

/** Whether the engine has a lowering for a kernel. */
const isLowered = (kernel: string): boolean => typeof loweringTable[kernel] === "function";

/** Whether a kernel is an operation of `@lejepa/ops` rather than of tfjs-core. */
const isComposite = (kernel: string): boolean => kernel.startsWith("Lejepa");

/** The page, from the results of every case. */
export function kernelTable({ rules }: TfjsSuite, results: readonly CaseResult[]): Promise<string> {
  const about = results.filter(({ ours }) => !ours.refused && ours.kernels.length > 0);
  const passed = about.filter((result) => !failed(result));
  const withGradient = about.filter(({ theirs }) => theirs !== undefined);
  const asking = (kernel: string, among: readonly CaseResult[]): number =>
    among.filter(({ ours }) => ours.kernels.includes(kernel)).length;
  const deriving = (kernel: string): number =>
    passed.filter(
      ({ ours, theirs }) => ours.derived.includes(kernel) || theirs?.derived.includes(kernel),
    ).length;
  const gradient = (kernel: string): string =>
    (["@lejepa/ops", "tfjs-core"] as const).find((whose) => rules[whose].has(kernel)) ?? "";

  const all = Object.keys(loweringTable).sort((a, b) => (a < b ? -1 : 1));
  const kernels = all.filter((name) => !isComposite(name));
  const lowered = kernels.filter(isLowered).map((kernel) => {
    const [asked, passing] = [asking(kernel, about), asking(kernel, passed)];
    const cases = asked === passing ? String(asked) : `${passing} of ${asked}`;
    const derived = gradient(kernel) && deriving(kernel);
    return row(`\`${kernel}\``, gradient(kernel), cases, derived);
  });
  const refused = kernels.flatMap((kernel) => {
    const entry = loweringTable[kernel]!;
    return typeof entry === "function"
      ? []
      : [row(`\`${kernel}\``, entry.wayOut, asking(kernel, results))];
  });
  const failing = (listed: typeof expectedOnnxFailures): string =>
    listed
      .map(
        ({ reason, cases }) =>
          `- ${cases.length === 1 ? "1 case" : `${cases.length} cases`}: ${reason}`,
      )
      .join("\n") || "None.";
  const { table: onTensorFlow } = tensorflowTarget("cpu");
  const native = Object.keys(onTensorFlow)
    .filter((name) => {
      const row = onTensorFlow[name];
      return typeof row === "function" && row !== onnxTarget.table[name];
    })
    .sort();
  const page = `# Kernels of the onnx engine

Written by \`npx tsx tools/kernel-table.ts\`; a test fails when it is out of date.

tfjs-core names ${kernels.length} kernels. The onnx engine lowers ${lowered.length} of them to ONNX operators and refuses
${refused.length} by name, with what to do instead. tfjs-core's own test suite is run on the lowered ones: ${about.length}
of its cases ask for these kernels only, ${withGradient.length} of them for gradients, which are run with the rules of
\`@lejepa/ops\` and again with tfjs-core's. ${passed.length === about.length ? "All pass." : `${passed.length} pass; the others are listed below.`}

## Lowered

Gradient: where its derivative rule comes from. \`@lejepa/ops\` registers its own when it is imported; the rules of
tfjs-core alone are registered by the packages \`@tensorflow/tfjs\` and \`@tensorflow/tfjs-layers\`. Cases: those of
tfjs-core that ask for the kernel, and that run its derivative rule, and pass. Further calls of each kernel are
compared with tfjs's cpu backend, values and gradients: \`packages/engine/test/kernels/samples.ts\`.

${header("Kernel", "Gradient", "Cases", "Gradient cases")}
${lowered.join("\n")}

## Composite

Operations of \`@lejepa/ops\` that the engine sees as one kernel each, with a row of its own; any other backend composes
them of the kernels above. Gradients are theirs.

${all
  .filter(isComposite)
  .map((name) => `- \`${name}\``)
  .join("\n")}

## Refused

${header("Kernel", "Instead", "Cases of tfjs-core that ask for it")}
${refused.join("\n")}

## Cases that fail

${failing(expectedOnnxFailures)}

## The tensorflow engine

It lowers and refuses the same kernels, by the same rows but for these, which use operators of TensorFlow's own:
${native.map((name) => `\`${name}\``).join(", ")}.

The same cases are run on it where \`LEJEPA_BACKENDS\` names it. Those that fail:

${failing(expectedTensorFlowFailures)}
`;
  return format(page, { parser: "markdown" });
}
