import type { TensorAdapter } from "@lejepa/tensor";
import { float64Adapter, type Float64Tensor } from "@lejepa/tensor/float64";

/** Memory that the threads of one test share. */
export interface SharedMemory {
  /** How many have arrived at the barrier, and how often it has opened. */
  readonly barrier: SharedArrayBuffer;
  /** A part for each rank: the number of its values, then the values. */
  readonly values: SharedArrayBuffer;
  /** Numbers in each part. */
  readonly capacity: number;
}

/** Memory for this many ranks.
 *  @param capacity The most values that are exchanged at once. */
export function sharedMemory(ranks: number, capacity: number): SharedMemory {
  return {
    barrier: new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT),
    values: new SharedArrayBuffer(ranks * (capacity + 1) * Float64Array.BYTES_PER_ELEMENT),
    capacity: capacity + 1,
  };
}

/** The float64 adapter of one of several threads: `allReduceMean` waits until all have called it. */
export function rankAdapter(
  rank: number,
  processes: number,
  memory: SharedMemory,
): TensorAdapter<Float64Tensor> {
  const k = float64Adapter();
  const counters = new Int32Array(memory.barrier);
  const values = new Float64Array(memory.values);
  const start = (of: number) => of * memory.capacity;

  function wait(): void {
    const opened = Atomics.load(counters, 1);
    if (Atomics.add(counters, 0, 1) === processes - 1) {
      Atomics.store(counters, 0, 0);
      Atomics.add(counters, 1, 1);
      Atomics.notify(counters, 1);
    } else
      while (Atomics.load(counters, 1) === opened)
        if (Atomics.wait(counters, 1, opened, 60_000) === "timed-out")
          throw new Error(`rank ${rank} waited in vain for the others`);
  }

  function exchange(x: Float64Tensor): Float64Tensor {
    values[start(rank)] = x.data.length;
    values.set(x.data, start(rank) + 1);
    wait();
    const mean = new Float64Array(x.data.length);
    for (let other = 0; other < processes; other++) {
      if (values[start(other)] !== x.data.length)
        throw new Error(
          `rank ${other} exchanges ${values[start(other)]} values, rank ${rank} ${x.data.length}`,
        );
      mean.forEach((sum, i) => (mean[i] = sum + values[start(other) + 1 + i]! / processes));
    }
    wait(); // nobody writes the next values before all have read these
    return { shape: x.shape, data: mean };
  }

  return {
    ...k,
    name: `float64 of rank ${rank}`,
    capabilities: [...k.capabilities, "allReduceMean"],
    processes,
    allReduceMean: (x) =>
      k.customGradient(
        {
          forward: ([part]) => ({ value: exchange(part!), saved: [] }),
          backward: (cotangent) => [exchange(cotangent)],
        },
        [x],
      ),
  };
}
