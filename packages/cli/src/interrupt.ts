/** Turns Ctrl-C and a polite kill into an abort; a second one ends the process at once. */
export function interruptSignal(): { signal: AbortSignal; ignore(): void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write("\nFinishing this step; press Ctrl-C again to stop at once.\n");
    controller.abort(new Error("interrupted"));
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
