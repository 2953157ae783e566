/** Turns Ctrl-C and a polite kill into an abort; a second one ends the process at once. What comes with the first is
 *  the same press: a program above this one may pass on the signal that the terminal has sent to both.
 *  @param reply what to say to the first one, as the beginning of a sentence */
export function interruptSignal(reply: string): { signal: AbortSignal; ignore(): void } {
  const controller = new AbortController();
  let first = 0;
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      if (performance.now() - first < samePressMilliseconds) return;
      process.exit(130);
    }
    first = performance.now();
    process.stderr.write(`\n${reply}; press Ctrl-C again to stop at once.\n`);
    controller.abort(new Interrupted("interrupted"));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    ignore() {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}

const samePressMilliseconds = 200;

/** The reason of an abort by {@link interruptSignal}. */
export class Interrupted extends Error {}
