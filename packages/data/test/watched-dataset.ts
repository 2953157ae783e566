import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Dataset, ItemHint } from "@lejepa/data";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What the datasets of all threads have seen, shared by them: the most items whose pixels lived at once,
 *  how many were asked for, and the last hint: height and width, 0 without one. */
export interface Watch {
  readonly length: number;
  readonly seen: Int32Array<SharedArrayBuffer>;
}

/** Where `seen` holds what. */
export const watched = { live: 0, asked: 1, height: 2, width: 3 } as const;

/** A watch of a dataset of so many items. */
export const newWatch = (length: number): Watch => ({
  length,
  seen: new Int32Array(new SharedArrayBuffer(16)),
});

/** Images of 40 x 30, each in memory of its own, which lives from when it is asked for, as with a decoder, and comes later. Worker threads open
 *  it by this function. */
export function watchedDataset({ length, seen }: Watch): Dataset {
  const given: WeakRef<Uint8Array>[] = [];
  return {
    name: "watched",
    length,
    reopen: { module: import.meta.url, export: "watchedDataset", options: { length, seen } },
    async item(index, hint: ItemHint = {}) {
      const data = new Uint8Array(40 * 30).fill(index);
      given.push(new WeakRef(data));
      // What a WeakRef was made of or read from lives until the end of the turn.
      await new Promise(setImmediate);
      collectGarbage();
      const live = given.filter((item) => item.deref() !== undefined).length;
      seen[watched.live] = Math.max(seen[watched.live]!, live);
      seen[watched.asked]!++;
      seen[watched.height] = hint.atLeast?.height ?? 0;
      seen[watched.width] = hint.atLeast?.width ?? 0;
      return { image: { height: 40, width: 30, channels: 1, data } };
    },
  };
}
