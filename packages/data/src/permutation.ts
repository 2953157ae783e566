import type { ItemRange } from "./dataset.js";
import { randomOf, type Random } from "./random.js";

/** Groups whose items are mixed with each other: what a reader of shards has to keep open, while a batch is not of one
 *  shard alone. */
const groupsTogether = 8;

/** The order of one epoch: a permutation of 0..length-1 that depends on (seed, epoch, groups) only.
 *  Without groups each one is equally likely: Fisher-Yates. With groups their order is drawn first, and then the items
 *  of each eight groups that follow one another are shuffled together: all items of a group come among those of seven
 *  others, before any of the next eight. */
export function permutation(
  length: number,
  seed: number,
  epoch: number,
  groups: readonly ItemRange[] = [[0, length]],
): Int32Array {
  const random = randomOf(`${seed}/${epoch}/order`);
  const order = new Int32Array(length);
  // A single group draws nothing here, and so is the same as none.
  const inOrder = shuffled(
    Int32Array.from(groups, (_, group) => group),
    random,
  );
  let filled = 0;
  for (let first = 0; first < inOrder.length; first += groupsTogether) {
    const start = filled;
    for (const group of inOrder.subarray(first, first + groupsTogether)) {
      const [begin, end] = groups[group]!;
      for (let index = begin; index < end; index++) order[filled++] = index;
    }
    shuffled(order.subarray(start, filled), random);
  }
  return order;
}

/** Shuffles in place. */
function shuffled(order: Int32Array, random: Random): Int32Array {
  for (let last = order.length - 1; last > 0; last--) {
    const chosen = Math.floor(random() * (last + 1));
    const kept = order[last]!;
    order[last] = order[chosen]!;
    order[chosen] = kept;
  }
  return order;
}
