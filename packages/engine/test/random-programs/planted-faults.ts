/** Lowerings broken on purpose, to see that random programs find them. */
import type { StepAttrs, StepInputs } from "@tensorflow/tfjs-core";
import { binary, kernel, unary, type Row } from "../../src/kernels/kernel.js";
import { onnxTarget } from "../../src/kernels/table.js";
import type { Verdict } from "./judge.js";

/** What is broken. */
interface PlantedFault {
  readonly rows: Readonly<Record<string, Row>>;
  /** What is said of a program that has it. */
  readonly verdict: Verdict["kind"];
  /** What the smallest program must be about. */
  readonly kernel: RegExp;
}

/** By what is wrong of the onnx engine. */
export const plantedFaults: Readonly<Record<string, PlantedFault>> = {
  // Of gradients alone, and where an element is exactly 0.
  "the gradient of a ReLU at 0 is 1": {
    rows: {
      Step: kernel<StepInputs, StepAttrs>(({ x }, { alpha }, g) =>
        g.where(g.compare("GreaterOrEqual", x, g.number(0, x)), g.number(1, x), g.number(alpha, x)),
      ),
    },
    verdict: "wrong number",
    kernel: /relu|step|conv2d|matMul|convBlock|batchNorm|mlp|dropPath/,
  },
  // In the last digits, beyond rounding.
  "sines are off by 2e-4 of their size": {
    rows: { Sin: unary((x, g) => g.mul(g.unary("Sin", x), g.uniform(1.0002))) },
    verdict: "wrong number",
    kernel: /tf\.(sin|cos)|characteristicMeans/,
  },
  "the larger of two is the smaller": {
    rows: { Maximum: binary((a, b, g) => g.binary("Min", a, b)) },
    verdict: "wrong number",
    kernel: /tf\.maximum/,
  },
  "a row fails without a word of what to do": {
    rows: {
      Atan: unary(() => {
        throw new Error("no");
      }),
    },
    verdict: "poor refusal",
    kernel: /tf\.atan/,
  },
  "the process ends": {
    rows: { Erf: unary(() => process.abort()) },
    verdict: "process death",
    kernel: /tf\.erf|gelu/,
  },
};

/** Breaks the onnx engine of this process. */
export function plant(fault: string): void {
  const planted = plantedFaults[fault];
  if (planted === undefined) throw new Error(`There is no planted fault "${fault}".`);
  Object.assign(onnxTarget.table, planted.rows);
}
