import type { TensorAdapter } from "@lejepa/tensor";
import { checkChoice } from "../refuse.js";
import { needWholeBatch } from "../whole-batch.js";

/** The option of tests that need the samples in ascending order. */
export interface OrderOption {
  /** "any" (default): samples are sorted first, which needs the adapter's capability `sort`. "ascending": they are
   *  already in ascending order, which is not checked. */
  readonly order?: "any" | "ascending" | undefined;
}

/** The order from the options of test `where`. */
export function readOrder(where: string, { order = "any" }: OrderOption): "any" | "ascending" {
  checkChoice(where, "order", order, ["any", "ascending"]);
  return order;
}

/** Rows [R, N] in ascending order, for test `where`. */
export function sortedRows<T>(
  where: string,
  k: TensorAdapter<T>,
  rows: T,
  order: "any" | "ascending",
): T {
  needWholeBatch(where, k);
  return order === "ascending" ? rows : k.sort(rows, 1);
}

/** f(i) for the ranks i = 1, ..., N, as a tensor [N]. */
export function byRank<T>(k: TensorAdapter<T>, samples: number, f: (rank: number) => number): T {
  return k.fromArray(
    Array.from({ length: samples }, (_, i) => f(i + 1)),
    [samples],
  );
}
