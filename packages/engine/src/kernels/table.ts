/** The lowering table: one row for every kernel that tfjs-core 4.22 names, a lowering or a refusal, and for the composite
 *  kernels of @lejepa/ops. */
import type * as tf from "@tensorflow/tfjs-core";
import { arithmetic, comparison } from "./arithmetic.js";
import { composites } from "./composites.js";
import { convolution } from "./convolution.js";
import { creation } from "./creation.js";
import { activation, elementwise } from "./elementwise.js";
import { indexing } from "./indexing.js";
import type { LoweringTarget } from "../lower.js";
import { indexCheckRows } from "../passes/index-checks.js";
import { hostUpdateRows } from "../updates/host-updates.js";
import type { Row } from "./kernel.js";
import { matMuls } from "./mat-mul.js";
import { normalization } from "./normalization.js";
import { optimizer } from "./optimizer.js";
import { pooling } from "./pooling.js";
import { reductions } from "./reduction.js";
import { resize } from "./resize.js";
import { shape } from "./shape.js";
import { unsupported } from "./unsupported.js";

/** tfjs-core exports each kernel's name as a constant of the same name. */
type ConstantsNamedAfterThemselves<Module> = {
  [Name in keyof Module]: Module[Name] extends Name ? Name : never;
}[keyof Module];
type KernelName = ConstantsNamedAfterThemselves<typeof tf>;

const rows = {
  ...arithmetic,
  ...comparison,
  ...elementwise,
  ...activation,
  ...creation,
  ...shape,
  ...indexing,
  ...reductions,
  ...matMuls,
  ...convolution,
  ...pooling,
  ...normalization,
  ...resize,
  ...optimizer,
  ...composites,
  ...unsupported,
} satisfies Record<KernelName, Row>;

export const loweringTable: Readonly<Record<string, Row>> = rows;

/** Lowering for onnxruntime. */
export const onnxTarget: LoweringTarget = {
  engine: "onnx",
  table: { ...loweringTable, ...hostUpdateRows, ...indexCheckRows },
};
