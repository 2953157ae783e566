/** The table of operations that random programs are made of: one row for each, which draws its operands among the values
 *  that there are, or asks for new inputs, and writes the call. Shapes and types of results are not declared: the call is
 *  made on tfjs's cpu backend while the program grows, and one that tfjs refuses is drawn again. */
import { elementwiseOperations, type OperationRow } from "./elementwise-operations.js";
import { layerOperations } from "./layer-operations.js";
import { reductionOperations } from "./reduction-operations.js";
import { shapeOperations } from "./shape-operations.js";
import { windowOperations } from "./window-operations.js";

export const operations: Readonly<Record<string, OperationRow>> = {
  ...elementwiseOperations,
  ...shapeOperations,
  ...reductionOperations,
  ...windowOperations,
  ...layerOperations,
};

/** Families and how often one is drawn: what trains networks more often than what does not. */
export const families: readonly { readonly rows: readonly string[]; readonly weight: number }[] = [
  { rows: Object.keys(elementwiseOperations), weight: 5 },
  { rows: Object.keys(shapeOperations), weight: 4 },
  { rows: Object.keys(reductionOperations), weight: 3 },
  { rows: Object.keys(windowOperations), weight: 4 },
  { rows: Object.keys(layerOperations), weight: 2 },
];
