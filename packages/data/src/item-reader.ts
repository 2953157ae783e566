import { readItem, type Dataset, type Sample } from "./dataset.js";
import { neededSize } from "./needed-size.js";
import type { ViewGroups } from "./view-spec.js";

/** Reads an item; rejects as `readItem` does. */
export type ItemReader = (index: number) => Promise<Sample>;

/** Reads the items of a dataset at the size that the views need. */
export function itemReader(dataset: Dataset, views: ViewGroups): ItemReader {
  const atLeast = neededSize(views);
  const hint = atLeast && { atLeast };
  return (index) => readItem(dataset, index, hint);
}
