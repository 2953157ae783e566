/** `npx tsx tools/kernel-table.ts`: runs tfjs-core's own test cases on the onnx engine's lowering and writes the table
 *  of kernels to docs/kernels.md. */
import { writeFileSync } from "node:fs";
import { probeBlockSize } from "../packages/engine/src/onnx/block-size.js";
import { loadOnnxRuntime } from "../packages/engine/src/onnx-engine.js";
import { kernelTable, kernelTablePath } from "../packages/engine/test/tfjs-suite/kernel-table.js";
import { onnxRunner } from "../packages/engine/test/tfjs-suite/onnx-runner.js";
import { suiteResults } from "../packages/engine/test/tfjs-suite/results.js";
import { tfjsSuite } from "../packages/engine/test/tfjs-suite/suite.js";

const suite = await tfjsSuite(onnxRunner(await probeBlockSize(await loadOnnxRuntime())));
const page = await kernelTable(suite, await suiteResults(suite).all());
writeFileSync(`${import.meta.dirname}/../${kernelTablePath}`, page);
console.log(`${kernelTablePath}: ${suite.cases.length} cases run.`);
