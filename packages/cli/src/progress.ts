import type { SetupProgress } from "@lejepa/engine/setup";
import type { TrainCallbacks } from "@lejepa/trainer";
import { SingleBar } from "cli-progress";
import { counted } from "./counted.js";

/** A bar on standard error: redrawn on a terminal, a line every few seconds elsewhere. */
function bar(format: string): SingleBar {
  const made = new SingleBar({
    format,
    stream: process.stderr,
    hideCursor: true,
    barsize: 24,
    barCompleteChar: "━",
    barIncompleteChar: "─",
    etaBuffer: 50,
    noTTYOutput: true,
    notTTYSchedule: 5000,
    // The process has its own answer to Ctrl-C.
    gracefulExit: false,
  });
  // A terminal whose cursor it hid gets it back, however the process ends.
  process.once("exit", () => made.stop());
  return made;
}

/** Shows how training goes: the phase, then a bar with step, loss terms, throughput and time left. */
export function trainingProgress(): { callbacks: TrainCallbacks; stop(): void } {
  let current: SingleBar | undefined;
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
          `Training ${config.encoder}: ${counted(config.steps, "step")} of ${counted(config.batchSize, "image")} x ${counted(config.views, "view")}${from}\n` +
            `  on ${engineDescription}\n  into ${run}`,
        );
        for (const note of notes) say(`  ${note}`);
        current = bar(
          "{bar} {value}/{total} | prediction {prediction} | sigreg {sigreg} | {rate} images/s | {eta_formatted} left",
        );
        const nothing = { prediction: "-", sigreg: "-", rate: "-" };
        current.start(config.steps, resumedFrom ?? 0, nothing);
      },
      onStep({ step, prediction, sigreg, imagesPerSecond }) {
        current?.update(step, {
          prediction: prediction.toFixed(4),
          sigreg: sigreg.toFixed(3),
          rate: Math.round(imagesPerSecond),
        });
      },
      onProbe(done, total) {
        if (current === undefined) {
          say("Probing the untrained and the trained encoder");
          current = embeddingBar(total);
        }
        current.update(done);
      },
    },
  };
}

/** A started bar that counts embedded images. */
export function embeddingBar(total: number): SingleBar {
  const started = bar("{bar} {value}/{total} images embedded | {eta_formatted} left");
  started.start(total, 0);
  return started;
}

/** Shows how the setup of TensorFlow goes: a line for each phase, and a bar while it downloads. */
export function setupProgress(): {
  onProgress: (progress: SetupProgress) => void;
  stop: () => void;
} {
  let current: SingleBar | undefined;
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
        current = bar("{bar} {value}/{total} MB");
        current.start(megabytes(totalBytes), 0);
      }
      current.update(megabytes(bytes));
    },
  };
}
