import type { Batch } from "@lejepa/data";
import type { Engine, ThreadGroup } from "@lejepa/engine";
import type { HostTensors } from "@lejepa/ops";
import type { TrainConfig } from "./config.js";
import type { StepMoment } from "./lejepa-step.js";

/** What the thread of a rank is started with. */
export interface RankTask {
  readonly group: ThreadGroup;
  readonly rank: number;
  readonly config: TrainConfig;
  /** The first state, the same for every rank. */
  readonly state: HostTensors;
  readonly engine: Engine["name"];
  /** Threads that its engine may use. */
  readonly threads: number;
}

/** What a rank is asked for, one thing at a time. */
export type RankCall =
  | { readonly do: "run"; readonly moment: StepMoment; readonly batch: Batch }
  | { readonly do: "readState" }
  | { readonly do: "retrace" }
  | { readonly do: "end" };

/** What comes back: first what the engine is, once the step is compiled, then one answer to each call. An error ends
 *  the rank; its class and code do not survive the way between threads by themselves. */
export type RankReply =
  | { readonly ready: string }
  | { readonly tensors: HostTensors }
  | { readonly retraced: true }
  | { readonly ended: true }
  | { readonly failed: { readonly code: string | undefined; readonly message: string } };
