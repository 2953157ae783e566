import { checkFields, checkValue, recordOf } from "./check-fields.js";
import { LejepaError } from "./error.js";
import { anything, callable, listOf, text, wholeNumber, type Field } from "./fields.js";
import { imageFault, type Image, type Size } from "./image.js";
import { said } from "./said.js";

/** One item of a dataset. */
export interface Sample {
  /** The image. */
  readonly image: Image;
  /** Its class, an integer >= 0. Only probes read it; leave it out of unlabelled data. */
  readonly label?: number;
}

/** What the reader of an item may use, and need not. */
export interface ItemHint {
  /** How large the image must at least be, in pixels, for every view to have at least as many pixels to be made of as
   *  it has itself: a decoder may give a smaller copy of a photograph that is still at least as high and as wide (whole
   *  images only: where a window is taken is drawn later). Left out, the image has to come as it is. */
  readonly atLeast?: Size;
}

/** The items `begin` up to but without `end`. */
export type ItemRange = readonly [begin: number, end: number];

/** Images by index. Anything with a name, a length and `item` is a dataset: an object literal will do.
 *
 *  Worker threads cannot receive functions. A dataset with `reopen` is opened again in each worker
 *  and read there; one without is read by the main thread, and workers make the views. */
export interface Dataset {
  /** Used in messages. */
  readonly name: string;
  /** Number of items, > 0. */
  readonly length: number;
  /** Names of the classes: label k is `classes[k]`. */
  readonly classes?: readonly string[];
  /** What each item is called, where items have names: the path of a file within its folder, say.
   *  Never shown; a fingerprint is of them too. */
  readonly ids?: readonly string[];
  /** Whether reading all items costs no more than reading memory: a fingerprint is then of all of
   *  them instead of a sample. */
  readonly inMemory?: boolean;
  /** Ranges of items that lie near each other where they are stored, such as shards or row groups: in order, without
   *  gaps, from item 0 to the last. A shuffled loader then reads the items of a few groups at a time, in an order that
   *  the groups decide together with seed and epoch. */
  readonly groups?: readonly ItemRange[];
  /** How a worker thread opens the same dataset. */
  readonly reopen?: DatasetSource;
  /** The item at 0 <= index < length; the same one each time. All images have the same number of
   *  channels, and all or no items have a label. The data may be a view that stays valid, since it
   *  is never written to. May throw or reject: the loader reports the index.
   *  With the same hint it is the same item each time. */
  item(index: number, hint?: ItemHint): Sample | Promise<Sample>;
}

/** A dataset as data: calling the export of the module with the options opens it. */
export interface DatasetSource {
  /** What `import()` takes in any thread: best an absolute URL, e.g. `import.meta.url`. */
  readonly module: string;
  /** Name of the exported function `(options) => Dataset | Promise<Dataset>`. */
  readonly export: string;
  /** Its argument; must survive `structuredClone`. Typed arrays over a SharedArrayBuffer are
   *  shared between threads, not copied. */
  readonly options?: unknown;
}

/** Ranges in order that hold every item once. */
const rangesUpTo = (length: number): Field => ({
  presence: "optional",
  expected: `a list of ranges [begin, end) in order, the first from 0, each from the end of the one before, the last up to ${length}`,
  accepts: (value) => {
    if (!Array.isArray(value)) return false;
    let end = 0;
    for (const range of value as unknown[]) {
      if (!(Array.isArray(range) && range.length === 2 && range[0] === end)) return false;
      const [begin, next] = range as unknown[];
      if (!(Number.isSafeInteger(next) && (next as number) > (begin as number))) return false;
      end = next as number;
    }
    return end === length;
  },
});

/** Checks that a value has what makes a dataset; it may have more. Throws `invalid-option`. */
export function checkDataset(value: unknown): asserts value is Dataset {
  const dataset = recordOf(value, "dataset", "invalid-option");
  // Properties may be inherited: a dataset can be an instance of a class.
  const need = (key: keyof Dataset, field: Parameters<typeof checkValue>[1]): void =>
    checkValue(dataset[key], field, `dataset.${key}`, "invalid-option");
  need("name", text("required"));
  need("length", wholeNumber("required", { min: 1 }));
  need("item", callable("required"));
  need("classes", listOf("optional", text("required")));
  need("ids", listOf("optional", text("required")));
  need("groups", rangesUpTo(dataset.length as number));
  if (dataset.reopen === undefined) return;
  const source = recordOf(dataset.reopen, "dataset.reopen", "invalid-option");
  const fields = {
    module: text("required"),
    export: text("required"),
    options: anything("optional"),
  };
  checkFields(source, fields, "dataset.reopen", "invalid-option");
}

/** Opens a dataset from its source. Throws `reopen-failed` when that does not give the dataset of
 *  the same name and length that the source came from. */
export async function reopenDataset(
  source: DatasetSource,
  expected: { readonly name: string; readonly length: number },
): Promise<Dataset> {
  const where = `dataset "${expected.name}": export "${source.export}" of ${source.module}`;
  let dataset: Dataset;
  try {
    const module = (await import(source.module)) as Record<string, unknown>;
    const open = module[source.export];
    if (typeof open !== "function") throw new TypeError("it is not a function");
    dataset = await (open as (options: unknown) => Dataset | Promise<Dataset>)(source.options);
  } catch (cause) {
    throw new LejepaError(
      "reopen-failed",
      `${where} could not open it in a worker thread: ${messageOf(cause)}. Correct its "reopen", or leave "reopen" out: the main thread reads the items then.`,
      { cause },
    );
  }
  if (typeof dataset?.item !== "function" || dataset.length !== expected.length)
    throw new LejepaError(
      "reopen-failed",
      `${where} gave ${dataset?.length} items in a worker thread instead of ${expected.length}. Let the options name the same data.`,
    );
  return dataset;
}

/** One item, checked. Rejects with `item-failed` when reading it throws and with `invalid-sample`
 *  when what comes is not an image of 1 or 3 channels with an optional label. */
export async function readItem(dataset: Dataset, index: number, hint?: ItemHint): Promise<Sample> {
  return itemNowOrLater(dataset, index, hint);
}

/** The same at once, where the dataset gives its items at once: of many, promises take longer than
 *  items. Throws what {@link readItem} rejects with. */
export function itemNowOrLater(
  dataset: Dataset,
  index: number,
  hint: ItemHint = {},
): Sample | Promise<Sample> {
  const failed = (cause: unknown): LejepaError =>
    new LejepaError(
      "item-failed",
      `dataset "${dataset.name}": item ${index} could not be read: ${messageOf(cause)}. Repair it or leave it out of the dataset.`,
      { cause, index },
    );
  let sample: Sample | Promise<Sample>;
  try {
    sample = dataset.item(index, hint);
  } catch (cause) {
    throw failed(cause);
  }
  if (typeof (sample as Partial<Promise<Sample>> | undefined)?.then !== "function")
    return checkedSample(dataset, index, sample as Sample);
  return Promise.resolve(sample).then(
    (read) => checkedSample(dataset, index, read),
    (cause: unknown) => {
      throw failed(cause);
    },
  );
}

function checkedSample({ name }: Dataset, index: number, sample: Sample): Sample {
  const fault = imageFault(sample?.image);
  if (fault !== undefined)
    throw new LejepaError(
      "invalid-sample",
      `dataset "${name}": the image of item ${index} ${fault}. Return { image: { height, width, channels, data } } from item().`,
      { index },
    );
  const { label } = sample;
  if (label !== undefined && !(Number.isInteger(label) && label >= 0 && label < 2 ** 31))
    throw new LejepaError(
      "invalid-sample",
      `dataset "${name}": the label of item ${index} is ${said(label)}. Use an integer >= 0, or leave labels out.`,
      { index },
    );
  return sample;
}

/** What an error says, whatever was thrown. */
export const messageOf = (thrown: unknown): string =>
  (thrown instanceof Error
    ? thrown.message
    : typeof thrown === "string"
      ? thrown
      : said(thrown)
  ).replace(/\.$/, "");
