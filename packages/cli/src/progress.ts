import type { SetupProgress } from "@lejepa/engine/setup";
import type { TrainCallbacks } from "@lejepa/trainer";
import { SingleBar } from "cli-progress";
import { counted } from "./counted.js";
import { progressLine } from "./progress-line.js";

/** Time to the first line and between lines, in milliseconds, where there is no terminal to redraw one on. */
const [firstLineAfter, lineEvery] = [500, 5000];

/** A count that is shown on standard error. */
interface Bar {
  update(value: number, facts?: readonly string[]): void;
  stop(): void;
}

/** Redrawn on a terminal; elsewhere a line soon and every few seconds, if there is anything new, and one at the end.
 *  @param total what is counted up to
 *  @param unit what is counted
 *  @param from what was done before */
function startBar(total: number, unit: string, from = 0): Bar {
  const began = performance.now();
  let [value, facts]: [number, readonly string[]] = [from, []];
  const line = (columns?: number): string => {
    const rate = (value - from) / (performance.now() - began);
    const secondsLeft = rate > 0 ? (total - value) / rate / 1000 : undefined;
    return progressLine({ value, total, unit, secondsLeft, facts }, columns);
  };
  if (!process.stderr.isTTY) {
    let [written, nextAt] = [from, began + firstLineAfter];
    const write = (): void => {
      [written, nextAt] = [value, performance.now() + lineEvery];
      process.stderr.write(`${line()}\n`);
    };
    return {
      update(to, told = facts) {
        [value, facts] = [to, told];
        if (value !== written && performance.now() >= nextAt) write();
      },
      stop() {
        if (value !== written) write();
      },
    };
  }
  const drawn = new SingleBar({
    // A column is left, since some terminals wrap a full line.
    format: () => line(process.stderr.columns - 1),
    stream: process.stderr,
    hideCursor: true,
    // The process has its own answer to Ctrl-C.
    gracefulExit: false,
  });
  // A terminal whose cursor it hid gets it back, however the process ends.
  const restore = (): void => drawn.stop();
  process.once("exit", restore);
  drawn.start(total, from);
  return {
    update(to, told = facts) {
      [value, facts] = [to, told];
      drawn.update(value);
    },
    stop() {
      drawn.stop();
      process.off("exit", restore);
    },
  };
}

/** Shows how training goes: the phase, then a bar with step, loss terms, throughput and time left. */
export function trainingProgress(): { callbacks: TrainCallbacks; stop(): void } {
  let current: Bar | undefined;
  let embedded = 0;
  const stop = (): void => {
    current?.stop();
    current = undefined;
  };
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  return {
    stop,
    callbacks: {
      onPhase(phase) {
        // The bar of the training phase starts with the facts that onStart brings, just before it.
        if (phase !== "train") stop();
        if (phase === "load") say("Opening the images");
        if (phase === "compile") say("Compiling the step");
      },
      onStart({ config, run, engineDescription, resumedFrom, notes }) {
        const from = resumedFrom === null ? "" : `, from step ${resumedFrom}`;
        say(
          `Training ${config.encoder}: ${counted(config.steps, "step")} of ${counted(config.batchSize, "image")} x ${counted(config.views + (config.localViews?.count ?? 0), "view")}${from}\n` +
            `  on ${engineDescription}\n  into ${run}`,
        );
        for (const note of notes) say(`  ${note}`);
        current = startBar(config.steps, "", resumedFrom ?? 0);
      },
      onStep({ step, prediction, sigreg, imagesPerSecond }) {
        current?.update(step, [
          `prediction ${prediction.toFixed(4)}`,
          `sigreg ${sigreg.toFixed(3)}`,
          `${Math.round(imagesPerSecond)} images/s`,
        ]);
      },
      onProbe(done, total) {
        if (embedded === 0) say("Probing the untrained and the trained encoder");
        current ??= embeddingBar(total, embedded);
        embedded = done;
        current.update(done);
      },
      onFit(which) {
        stop();
        say(`Fitting linear probe and kNN of the ${which} encoder`);
      },
    },
  };
}

/** A started bar that counts embedded images. */
export const embeddingBar = (total: number, from = 0): Bar =>
  startBar(total, "images embedded", from);

/** Shows how the setup of TensorFlow goes: a line for each phase, and a bar while it downloads. */
export function setupProgress(): {
  onProgress: (progress: SetupProgress) => void;
  stop: () => void;
} {
  let current: Bar | undefined;
  const stop = (): void => {
    current?.stop();
    current = undefined;
  };
  const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
  return {
    stop,
    onProgress({ phase, message, bytes = 0, totalBytes }) {
      if (current === undefined || phase !== "download") {
        stop();
        process.stderr.write(`${message}\n`);
      }
      if (phase !== "download" || totalBytes === undefined) return;
      if (current === undefined) {
        current = startBar(megabytes(totalBytes), "MB");
      }
      current.update(megabytes(bytes));
    },
  };
}
