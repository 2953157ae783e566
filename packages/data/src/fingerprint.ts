import { createHash, type Hash } from "node:crypto";
import { checkFields, recordOf } from "./check-fields.js";
import { checkDataset, itemNowOrLater, readItem, type Dataset, type Sample } from "./dataset.js";
import { LejepaError } from "./error.js";
import { anything, boolean, matching, oneOf, text, wholeNumber, type Fields } from "./fields.js";

/** What tells a dataset from another one, as plain JSON of a few kilobytes. Where the data lie is no part of it.
 *
 *  S items are read: all, of data in memory up to 256 MiB; else 256, evenly spread from the first to the last (of
 *  larger data in memory as many as are 256 MiB). Digests to find out by which item two datasets differ are of at most
 *  256 blocks of neighbours among the S, of one item each when S <= 256. */
export interface DatasetFingerprint {
  /** Name of the dataset, for messages: two names of the same data make no difference. */
  readonly name: string;
  /** Items. */
  readonly count: number;
  /** Height x width of the images read, in pixels: "28 x 28", or with ranges "24 to 32 x 28". */
  readonly size: string;
  /** Channels of the images. */
  readonly channels: number;
  /** Whether pixels are bytes 0..255 or floats. */
  readonly values: "bytes" | "floats";
  /** Whether items have labels. */
  readonly labelled: boolean;
  /** How many classes have names, and a digest of the names; where the dataset has them. */
  readonly classes?: { readonly count: number; readonly digest: string } | undefined;
  /** S, items whose pixels and labels were read. */
  readonly sampled: number;
  /** SHA-256 of all this and of the pixels and labels read, in hexadecimal; the name is no part of it, nor are ids. */
  readonly hash: string;
  /** For each block 4 hexadecimal digits of the digest of its pixels. */
  readonly pixels: string;
  /** The same of its labels. */
  readonly labels: string;
  /** The same of the ids, of blocks of all items; where the dataset has ids. Compared when both datasets have them. */
  readonly ids?: string | undefined;
}

/** Items read of a dataset that is not in memory, and blocks that digests are of. */
const most = 256;
/** Items asked for at once of a dataset that gives them later. */
const together = 32;
/** Bytes read of a dataset in memory. */
const mostBytes = 256 * 2 ** 20;
/** Hexadecimal digits kept of the digest of a block. */
const digits = 4;

/** The fingerprint of a dataset: MNIST takes about 50 ms. Rejects with `invalid-option` when it is no dataset or has no
 *  items, and with `item-failed` and `invalid-sample` as the loader does. */
export async function fingerprintOf(dataset: Dataset): Promise<DatasetFingerprint> {
  checkDataset(dataset);
  return fingerprint(dataset, undefined);
}

/** In what a dataset differs from the one that a fingerprint was made of, each as words for a person: "65 images instead
 *  of 200". Empty when nothing differs. Reads the items that the fingerprint was made of. Rejects as {@link fingerprintOf},
 *  and with `invalid-option` when `before` is no fingerprint. */
export async function fingerprintDifferences(
  before: DatasetFingerprint,
  dataset: Dataset,
): Promise<readonly string[]> {
  checkFingerprint(before);
  checkDataset(dataset);
  const now = await fingerprint(dataset, before.count === dataset.length ? before : undefined);
  const [ids, idsBefore] = [now.ids ?? "", before.ids ?? ""];
  const areSameIds = ids === "" || idsBefore === "" || ids === idsBefore;
  if (now.hash === before.hash && areSameIds) return [];
  const differences: string[] = [];
  const differ = (what: string, is: unknown, was: unknown, more = ""): void => {
    if (is !== was) differences.push(`${String(is)} ${what} instead of ${String(was)}${more}`);
  };
  if (now.count > before.count) {
    const { name, classes } = dataset;
    const first: Dataset = {
      name,
      length: before.count,
      ...(classes && { classes }),
      item: (index) => dataset.item(index),
    };
    const isSame = (await fingerprint(first, before)).hash === before.hash;
    const those = isSame
      ? `, of which the first ${before.count} are the same`
      : `, and the first ${before.count} are not the same`;
    differ("images", now.count, before.count, those);
  } else differ("images", now.count, before.count);
  differ("pixels", now.size, before.size);
  differ(now.channels === 1 ? "channel" : "channels", now.channels, before.channels);
  differ("as pixels", now.values, before.values);
  if (now.labelled !== before.labelled)
    differences.push(now.labelled ? "labels where there were none" : "no labels where there were");
  const [classes, classesBefore] = [now, before].map((of) => of.classes?.count ?? 0);
  differ("names of classes", classes, classesBefore);
  if (classes === classesBefore && now.classes?.digest !== before.classes?.digest)
    differences.push("other names of classes");
  if (differences.length > 0) return differences;
  return otherItems(before, now);
}

const blocksOfDigests = (presence: "required" | "optional") =>
  matching(presence, new RegExp(`^([0-9a-f]{${digits}}){1,${most}}$`), "digests in hexadecimal");

const fields: Fields<Omit<DatasetFingerprint, "name">> = {
  count: wholeNumber("required", { min: 1 }),
  size: text("required"),
  channels: wholeNumber("required", { min: 1 }),
  values: oneOf("required", ["bytes", "floats"]),
  labelled: boolean("required"),
  classes: anything("optional"),
  sampled: wholeNumber("required", { min: 1 }),
  hash: matching("required", /^[0-9a-f]{64}$/, "a SHA-256 in hexadecimal"),
  pixels: blocksOfDigests("required"),
  labels: blocksOfDigests("required"),
  ids: blocksOfDigests("optional"),
};

function checkFingerprint(value: unknown): void {
  const record = recordOf(value, "before", "invalid-option");
  checkFields(record, { name: text("required"), ...fields }, "before", "invalid-option");
  if (record.classes === undefined) return;
  const classes = recordOf(record.classes, "before.classes", "invalid-option");
  const ofClasses = { count: wholeNumber("required", { min: 0 }), digest: text("required") };
  checkFields(classes, ofClasses, "before.classes", "invalid-option");
}

/** How two fingerprints differ that are of as many items of the same kind. */
function otherItems(before: DatasetFingerprint, now: DatasetFingerprint): string[] {
  const { count, sampled } = now;
  const read = (position: number): number => itemAt(position, sampled, count);
  const places = (key: "pixels" | "labels"): string | undefined =>
    blocksThatDiffer(before[key], now[key], sampled, read);
  const pixels = places("pixels");
  const sorted = (text: string): string => blockDigests(text).sort().join();
  if (pixels !== undefined && sampled <= most && sorted(before.pixels) === sorted(now.pixels))
    return [`the same images in another order (${pixels})`];
  const labels = places("labels");
  const ids = now.ids && before.ids && blocksThatDiffer(before.ids, now.ids, count, (at) => at);
  const differences = [
    ...(pixels ? [`other pixels in ${pixels}`] : []),
    ...(labels ? [`other labels of ${labels}`] : []),
    ...(ids ? [`other ids of ${ids}`] : []),
  ];
  // Digests of blocks are short: once in 65,536 times they do not show what the whole one does.
  return differences.length > 0 ? differences : ["other content of some items"];
}

/** Where digests of blocks differ, as words: "item 3 and 2 others", or "one of items 234 to 467"; undefined where none
 *  does. */
function blocksThatDiffer(
  before: string,
  now: string,
  values: number,
  itemOf: (position: number) => number,
): string | undefined {
  const [was, is] = [blockDigests(before), blockDigests(now)];
  const blocks = is.flatMap((digest, block) => (digest === was[block] ? [] : [block]));
  if (blocks.length === 0) return undefined;
  const [begin, end] = blockRange(blocks[0]!, is.length, values);
  const [first, last] = [itemOf(begin), itemOf(end - 1)];
  const others = blocks.length - 1;
  const more = others === 0 ? "" : ` and ${others} other${others === 1 ? "" : "s"}`;
  return first === last ? `item ${first}${more}` : `one of items ${first} to ${last}${more}`;
}

const blockDigests = (text: string): string[] => text.match(new RegExp(`.{${digits}}`, "g")) ?? [];

const blockCount = (values: number): number => Math.min(values, most);

/** The values of a block: from the first up to but without the second. */
function blockRange(block: number, blocks: number, values: number): [number, number] {
  return [Math.floor((block * values) / blocks), Math.floor(((block + 1) * values) / blocks)];
}

/** The item that is read at a position of the sample. */
function itemAt(position: number, sampled: number, count: number): number {
  return sampled === 1 ? 0 : Math.floor((position * (count - 1)) / (sampled - 1));
}

/** @param like a fingerprint of as many items, whose sample is read again */
async function fingerprint(
  dataset: Dataset,
  like: DatasetFingerprint | undefined,
): Promise<DatasetFingerprint> {
  const { name, length: count, classes, ids } = dataset;
  if (ids !== undefined && ids.length !== count)
    throw new LejepaError(
      "invalid-option",
      `dataset "${name}": ${count} images but ${ids.length} ids. Give one id for each image, or none.`,
    );
  const firstItem = itemNowOrLater(dataset, 0);
  const isLater = firstItem instanceof Promise;
  const { image: first, label } = await firstItem;
  const sampled = like?.sampled ?? sampleSize(dataset, first.data.byteLength);
  const whole = createHash("sha256");
  const keep = (hash: Hash): string => {
    const bytes = hash.digest();
    whole.update(bytes);
    return bytes.toString("hex").slice(0, digits);
  };
  const heights = range();
  const widths = range();
  let pixels = "";
  let labels = "";
  const blocks = blockCount(sampled);
  for (let block = 0; block < blocks; block++) {
    const [begin, end] = blockRange(block, blocks, sampled);
    const pixelHash = createHash("sha256");
    const facts: number[] = [];
    const classOf: number[] = [];
    const add = ({ image, label }: Sample): void => {
      const { height, width, channels, data } = image;
      pixelHash.update(
        data instanceof Uint8Array
          ? data
          : new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      );
      facts.push(height, width, channels, data.BYTES_PER_ELEMENT);
      classOf.push(label ?? -1);
      heights.add(height);
      widths.add(width);
    };
    for (let at = begin; at < end; at += together) {
      const items = Array.from({ length: Math.min(together, end - at) }, (_, i) =>
        itemAt(at + i, sampled, count),
      );
      if (isLater) (await Promise.all(items.map((item) => readItem(dataset, item)))).forEach(add);
      // A promise for each of many items at hand would take longer than their digest.
      else
        for (const item of items) {
          const sample = itemNowOrLater(dataset, item);
          add(sample instanceof Promise ? await sample : sample);
        }
    }
    pixels += keep(pixelHash.update(Int32Array.from(facts)));
    labels += keep(createHash("sha256").update(Int32Array.from(classOf)));
  }
  const idBlocks = ids === undefined ? 0 : blockCount(count);
  let idDigests = "";
  for (let block = 0; block < idBlocks; block++) {
    idDigests += digestOfTexts(ids!.slice(...blockRange(block, idBlocks, count))).slice(0, digits);
  }
  const facts = {
    count,
    size: `${heights.text()} x ${widths.text()}`,
    channels: first.channels,
    values: first.data instanceof Uint8Array ? ("bytes" as const) : ("floats" as const),
    labelled: label !== undefined,
    ...(classes && { classes: { count: classes.length, digest: digestOfTexts(classes) } }),
    sampled,
  };
  const hash = whole.update(JSON.stringify(facts)).digest("hex");
  return { name, ...facts, hash, pixels, labels, ...(ids && { ids: idDigests }) };
}

const digestOfTexts = (texts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 16);

function sampleSize({ length, inMemory }: Dataset, bytesOfItem: number): number {
  const affordable = inMemory === true ? Math.floor(mostBytes / bytesOfItem) : 0;
  return Math.min(length, Math.max(most, affordable));
}

/** The least and the greatest of some numbers, as text. */
function range() {
  let [least, greatest] = [Infinity, -Infinity];
  return {
    add(value: number): void {
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    },
    text: (): string => (least === greatest ? `${least}` : `${least} to ${greatest}`),
  };
}
