import { resolve } from "node:path";
import { openDataset, type Dataset } from "@lejepa/data";
import type { Run } from "@lejepa/trainer";
import { Option } from "commander";

/** `--folder DIR`.
 *  @param otherwise what is read without it */
export function folderOption(otherwise: string): Option {
  return new Option(
    "--folder <dir>",
    `folder with the dataset's four IDX files (default: ${otherwise})`,
  ).argParser((text) => resolve(text));
}

/** Opens a part of a dataset to use a run on: from the folder named, else from the one that the run was trained from if
 *  it was on the same dataset, else from the installed package. */
export function openFor(
  { config }: Run,
  name: string,
  split: "train" | "test",
  named: string | undefined,
): Promise<Dataset> {
  const folder = named ?? (name === config.source ? config.folder : undefined);
  return openDataset(name, { split, ...(folder !== undefined && { folder }) });
}
