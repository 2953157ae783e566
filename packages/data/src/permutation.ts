import { randomOf } from "./random.js";

/** The order of one epoch: a permutation of 0..length-1, each equally likely, that depends on
 *  (seed, epoch) only. Fisher-Yates. */
export function permutation(length: number, seed: number, epoch: number): Int32Array {
  const random = randomOf(`${seed}/${epoch}/order`);
  const order = Int32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const chosen = Math.floor(random() * (last + 1));
    const kept = order[last]!;
    order[last] = order[chosen]!;
    order[chosen] = kept;
  }
  return order;
}
