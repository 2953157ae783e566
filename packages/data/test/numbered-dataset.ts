import type { Dataset } from "@lejepa/data";

/** What the dataset below is and which faults it has. */
export interface NumberedOptions {
  length: number;
  /** Reading this item throws. */
  throwsAt?: number;
  /** This item is one row taller. */
  tallerAt?: number;
  /** This item has no label. */
  unlabelledAt?: number;
  /** Reading this item ends the thread. */
  exitsAt?: number;
  /** Reading this item throws where nobody catches it. */
  crashesAt?: number;
  /** Items come as promises. */
  later?: boolean;
  /** The number of items in a thread that opens it again. */
  reopenedLength?: number;
}

/** Image i is 4 x 3 with value i % 256 and label i % 10; worker threads open it by this function. */
export function numberedDataset(options: NumberedOptions): Dataset {
  const { length } = options;
  const item = (index: number) => {
    if (index === options.throwsAt) throw new TypeError(`pixel rot in ${index}`);
    if (index === options.exitsAt) process.exit(3);
    if (index === options.crashesAt)
      setImmediate(() => {
        throw new RangeError("decoder on fire");
      });
    const height = index === options.tallerAt ? 5 : 4;
    const data = new Uint8Array(height * 3).fill(index);
    const image = { height, width: 3, channels: 1, data };
    return index === options.unlabelledAt ? { image } : { image, label: index % 10 };
  };
  return {
    name: "numbered",
    length,
    reopen: {
      module: import.meta.url,
      export: "numberedDataset",
      options: { ...options, length: options.reopenedLength ?? length },
    },
    item: options.later ? (index) => Promise.resolve().then(() => item(index)) : item,
  };
}

/** The same, without a way to open it in another thread. */
export function plainDataset(options: NumberedOptions): Dataset {
  const dataset = numberedDataset(options);
  return { name: dataset.name, length: dataset.length, item: (index) => dataset.item(index) };
}
