import * as tf from "@tensorflow/tfjs-core";

/** tfjs-core keeps one active backend for the whole process. Whoever borrows it puts it back, and "none chosen yet"
 *  counts as a choice: tfjs then still picks the best one at first use. */
interface BackendSlot {
  backendName: string | null;
  backendInstance: unknown;
}

function restore(name: string | null | undefined): void {
  if (name) {
    // Returns a promise but acts at once: this backend has been initialised before.
    void tf.setBackend(name);
    return;
  }
  const slot = tf.engine() as unknown as BackendSlot;
  slot.backendName = null;
  slot.backendInstance = null;
}

/** The active backend's name, without starting one. */
const activeName = (): string | null => (tf.engine() as unknown as BackendSlot).backendName ?? null;

/** Initialises a registered backend and leaves the active one as it was. Resolves to whether it started. */
export async function initialiseBackend(name: string): Promise<boolean> {
  const previous = activeName();
  try {
    return await tf.setBackend(name);
  } finally {
    restore(previous);
  }
}

/** Runs `body` with the initialised backend `name` active, then makes the previous one active again. */
export function withBackend<R>(name: string, body: () => R): R {
  const previous = activeName();
  if (previous === name) return body();
  void tf.setBackend(name);
  try {
    return body();
  } finally {
    restore(previous);
  }
}
