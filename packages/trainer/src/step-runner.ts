import type { Batch } from "@lejepa/data";
import type { CompiledStep } from "@lejepa/engine";
import type { HostTensors } from "@lejepa/ops";
import type { LejepaStep, StepMoment } from "./lejepa-step.js";

/** Training steps that are ready to run, in one process or in several. */
export interface StepRunner {
  /** What they run on, for a person. */
  readonly description: string;
  /** Runs one step on the whole batch: its loss and terms. */
  run(moment: StepMoment, batch: Batch): Promise<HostTensors>;
  /** A copy of the state as it stands. */
  readState(): Promise<HostTensors>;
  /** Compares the step with what was compiled. Throws "changing-constant" or "changing-structure". */
  retrace(): Promise<void>;
  /** Frees everything; no step is running. */
  dispose(): Promise<void>;
}

/** The steps of one process that has the whole batch. */
export function inOneProcess(
  description: string,
  step: LejepaStep,
  compiled: CompiledStep,
): StepRunner {
  return {
    description,
    run: (moment, batch) => compiled.run(step.inputsAt(moment, batch)),
    readState: () => compiled.readState(),
    retrace: () => compiled.retrace(),
    dispose: () => compiled.dispose(),
  };
}
