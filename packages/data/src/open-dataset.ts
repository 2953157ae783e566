import type { Dataset } from "./dataset.js";
import { LejepaError } from "./error.js";
import { mnist, type SplitOptions } from "./mnist.js";
import { suggestName } from "./nearest-name.js";
import { said } from "./said.js";

const datasets: Readonly<Record<string, (options: SplitOptions) => Promise<Dataset>>> = { mnist };

/** The names that `openDataset` knows. */
export const datasetNames = (): readonly string[] => Object.keys(datasets);

/** Opens a dataset by name. Throws `unknown-dataset`, with the nearest known name and the way in for
 *  images of one's own, and what opening that dataset throws. */
export async function openDataset(name: string, options: SplitOptions): Promise<Dataset> {
  const open =
    typeof name === "string" && Object.hasOwn(datasets, name) ? datasets[name] : undefined;
  if (open === undefined)
    throw new LejepaError(
      "unknown-dataset",
      `there is no dataset ${said(name)}. ${suggestName(typeof name === "string" ? name : "", datasetNames())} Images of your own go in as a Dataset, in code: arrayDataset makes one of arrays, and any object with name, length and item(index) is one.`,
    );
  return await open(options);
}
