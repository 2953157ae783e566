import { resolve } from "node:path";
import { createLoader, openDataset, type Dataset, type Loader } from "@lejepa/data";
import type { Encoder } from "@lejepa/encoders";
import { createEngine, type Engine } from "@lejepa/engine";
import { LejepaError, type HostTensors } from "@lejepa/ops";
import { checkState, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { completeConfig, trainViews, type TrainConfig, type TrainConfigInput } from "./config.js";
import type { LejepaStep } from "./lejepa-step.js";
import { openMetricsLog, readMetrics, type StepMetrics } from "./metrics-log.js";
import { mnistPreset } from "./presets/mnist.js";
import { probeEncoder } from "./probe-encoder.js";
import { startRanks } from "./rank-threads.js";
import { writeReport, type EmbeddingPicture } from "./report.js";
import type { PhaseSeconds, TrainResult } from "./result.js";
import type { OwnerLock } from "./owner-lock.js";
import {
  claimNewRun,
  claimRun,
  encoderOf,
  readConfig,
  readResult,
  writeConfig,
  writeResult,
} from "./run-folder.js";
import { warmupCosine } from "./schedule.js";
import { stepOf } from "./step-of.js";
import { inOneProcess, type StepRunner } from "./step-runner.js";

/** What {@link train} tells while it works. A callback that throws ends the run with its error. */
export interface TrainCallbacks {
  /** A phase begins. */
  readonly onPhase?: (phase: keyof PhaseSeconds) => void;
  /** Everything is ready and the first step is next. */
  readonly onStart?: (start: TrainStart) => void;
  /** A step is done and logged. */
  readonly onStep?: (metrics: StepMetrics) => void;
  /** A checkpoint is on the disk. */
  readonly onCheckpoint?: (step: number) => void;
  /** Images embedded for the probes, and how many there are to embed. */
  readonly onProbe?: (done: number, total: number) => void;
  /** All images of an encoder are embedded, and its probes are fitted next. */
  readonly onFit?: (encoder: "untrained" | "trained") => void;
  /** The run is over and its files are written. */
  readonly onEnd?: (result: TrainResult) => void;
}

/** What a run starts with. */
export interface TrainStart {
  /** The settings, defaults filled in. */
  readonly config: TrainConfig;
  /** Absolute path of the run folder. */
  readonly run: string;
  /** Which engine runs. */
  readonly engine: Engine["name"];
  /** What it runs on, for a person. */
  readonly engineDescription: string;
  /** Steps done before this session; null for a new run. */
  readonly resumedFrom: number | null;
}

/** How {@link train} runs. */
export interface TrainOptions {
  /** The run folder: new or empty, or with `resume` one that training has made. */
  readonly run: string;
  /** Goes on from the last checkpoint instead of starting a run. */
  readonly resume?: boolean;
  /** Takes the folder over from the process that owns it: for one that is gone and does not look it. An owner that is
   *  there after all ends with "lock-lost" before it writes again. */
  readonly forceUnlock?: boolean;
  /** Ends the run early: the step at hand is finished and a checkpoint written. */
  readonly signal?: AbortSignal;
  /** What to tell, and to whom. */
  readonly callbacks?: TrainCallbacks;
  /** Datasets to use instead of those that `config.source` names. `test` is needed by the probes only. */
  readonly datasets?: { readonly train: Dataset; readonly test?: Dataset };
}

/** Trains an encoder with LeJEPA and leaves a run folder: `config.json`, `metrics.jsonl`, `checkpoint/`, `report.html`
 *  and, once finished, `result.json`.
 *
 *  With `resume` the config of the folder counts. Keys given in `config` have to agree with it, except those that do not
 *  change what is computed: `folder`, `engine`, `processes`, `workers`, `checkpointEvery`, `retraceEvery` and
 *  `probe`. On the same engine with the same number of processes a resumed run gives the losses of an uninterrupted one,
 *  bit for bit.
 *
 *  While it works, the folder is this process's alone; others may read it (`openRun`).
 *
 *  @throws LejepaError "run-exists", "not-a-run", "not-writable", "unreadable-file", "invalid-config", "config-differs",
 *  "corrupt-checkpoint", "corrupt-metrics", "corrupt-result"; "locked", which says what process is at work in the folder,
 *  and "lock-lost" when another one has taken it over; "disk-full", which leaves what was there before;
 *  "changing-constant" and "changing-structure", with `retraceEvery`, where the step is no longer what was compiled;
 *  "loss-not-finite" and "state-not-finite", which name the step and keep the last good checkpoint; and what datasets,
 *  encoders and engines throw */
export async function train(config: TrainConfigInput, options: TrainOptions): Promise<TrainResult> {
  const session = new Session(resolve(options.run), options);
  try {
    return await session.run(config);
  } finally {
    await session.close();
  }
}

/** Settings that may change when a run is resumed. */
const changeable = new Set([
  "folder",
  "engine",
  "processes",
  "workers",
  "checkpointEvery",
  "retraceEvery",
  "probe",
]);

/** Steps over which throughput is measured. */
const throughputWindow = 20;

class Session {
  readonly #began = performance.now();
  readonly #phases = { load: 0, compile: 0, train: 0, probe: 0 };
  readonly #callbacks: TrainCallbacks;
  #engine: Engine | undefined;
  #lock: OwnerLock | undefined;
  /** No file of the run is put in place unless the folder is still this process's. */
  readonly #guard = (): void => this.#lock!.assertHeld();

  constructor(
    private readonly folder: string,
    private readonly options: TrainOptions,
  ) {
    this.#callbacks = options.callbacks ?? {};
  }

  async run(given: TrainConfigInput): Promise<TrainResult> {
    const { folder, options } = this;
    // A resumed run may start in another working folder.
    const input = given.folder === undefined ? given : { ...given, folder: resolve(given.folder) };
    const isResumed = options.resume === true;
    // Before anything of the folder is read, and before anything slow begins.
    const claim = isResumed ? claimRun : claimNewRun;
    this.#lock = await claim(folder, { force: options.forceUnlock === true });

    const loaded = await this.#timed("load", () => this.#load(input));
    const { config, engine, done } = loaded;
    const before = isResumed ? readResult(folder) : undefined;
    // A run whose last checkpoint is gone has not finished, whatever it once reported.
    const isFinished = before !== undefined && done === config.steps;
    if (isFinished && (!config.probe || before.probes !== null)) {
      return this.#end({ ...before, run: folder, status: "already-finished" });
    }

    const resumedFrom = isResumed ? done : null;
    let description = engine.description;
    const start = (): void =>
      this.#callbacks.onStart?.({
        config,
        run: folder,
        resumedFrom,
        engine: engine.name,
        engineDescription: description,
      });
    let trained = { state: loaded.state, done, dataWaitSeconds: 0 };
    if (done < config.steps) {
      // Its threads make the first batches while the step is compiled.
      const loader = trainLoader(loaded);
      try {
        const steps = await this.#timed("compile", () => compiledSteps(loaded));
        description = steps.description;
        try {
          await writeConfig(folder, config, this.#guard);
          start();
          trained = await this.#timed("train", () => this.#train(loaded, steps, loader));
        } finally {
          await steps.dispose();
        }
      } finally {
        await loader.close();
      }
    } else start();

    const isComplete = trained.done === config.steps;
    let probes: TrainResult["probes"] = null;
    let picture: EmbeddingPicture | undefined;
    await this.#timed("probe", async () => {
      if (!isComplete || !config.probe) return;
      ({ probes, picture } = await this.#probe(
        loaded,
        loaded.step.encoderParameters(trained.state),
      ));
    });
    // An abort during the probes leaves them to a resumed run.
    const isInterrupted = !isComplete || (config.probe && probes === null);
    const result: TrainResult = {
      status: isInterrupted ? "interrupted" : "finished",
      run: folder,
      steps: trained.done,
      seconds: (performance.now() - this.#began) / 1000,
      engine: engine.name,
      engineDescription: description,
      resumedFrom,
      phases: { ...this.#phases },
      dataWaitSeconds: trained.dataWaitSeconds,
      probes,
    };
    const metrics = readMetrics(folder);
    await writeReport(folder, { config, metrics, result, picture }, this.#guard);
    if (!isInterrupted) await writeResult(folder, result, this.#guard);
    return this.#end(result);
  }

  async close(): Promise<void> {
    try {
      await this.#engine?.dispose();
    } finally {
      await this.#lock?.release();
    }
  }

  #end(result: TrainResult): TrainResult {
    this.#callbacks.onEnd?.(result);
    return result;
  }

  async #load(input: TrainConfigInput): Promise<Loaded> {
    const { folder, options } = this;
    const stored = options.resume === true ? readConfig(folder) : undefined;
    const source = stored?.source ?? input.source;
    const dataFolder = input.folder ?? stored?.folder;
    const open = (split: "train" | "test"): Promise<Dataset> =>
      openDataset(source, { split, ...(dataFolder !== undefined && { folder: dataFolder }) });
    const trainSet = options.datasets?.train ?? (await open("train"));
    const config = completeConfig(input, stored ?? mnistPreset, trainSet.length);
    if (stored !== undefined) checkUnchanged(stored, config, folder);
    await checkChannels(config, trainSet);
    let testSet = options.datasets?.test;
    if (config.probe && testSet === undefined) {
      if (options.datasets !== undefined) {
        throw new LejepaError(
          "invalid-config",
          "config: probe needs a test set; pass datasets.test, or leave probe out.",
        );
      }
      testSet = await open("test");
    }
    const encoder = encoderOf(config);
    const step = stepOf(config, encoder);
    const initial = step.initialState(config.seed);
    const checkpoint = stored && (await readCheckpoint(folder, encoder));
    if (checkpoint !== undefined) checkState(folder, config.seed, checkpoint, initial);
    const engine = (this.#engine = await createEngine(config.engine, {
      precision: config.precision,
      engines: config.processes,
    }));
    return {
      config,
      encoder,
      step,
      engine,
      trainSet,
      testSet,
      done: checkpoint?.step ?? 0,
      saved: checkpoint?.step,
      state: checkpoint?.state ?? initial,
    };
  }

  async #train(
    { config, encoder, done: doneBefore, saved: savedBefore }: Loaded,
    runner: StepRunner,
    loader: Loader,
  ): Promise<{ state: HostTensors; done: number; dataWaitSeconds: number }> {
    const { folder } = this;
    const { steps, seed, batchSize, checkpointEvery, retraceEvery, learningRate } = config;
    const schedule = { ...config, peak: learningRate };
    const log = await openMetricsLog(folder, doneBefore, this.#guard);
    const secondsBefore = readMetrics(folder).at(-1)?.seconds ?? 0;
    const began = performance.now();
    const times = [began];
    let done = doneBefore;
    let saved = savedBefore;
    let state: HostTensors = {};
    const save = async (): Promise<void> => {
      // A checkpoint is not on the disk before the lines of its steps are.
      [state] = await Promise.all([runner.readState(), log.sync()]);
      await writeCheckpoint(folder, encoder, { step: done, seed, state }, this.#guard);
      saved = done;
      this.#callbacks.onCheckpoint?.(done);
    };
    try {
      while (done < steps && this.options.signal?.aborted !== true) {
        const waitedBefore = loader.waitMilliseconds;
        const { value: batch } = await loader.next();
        const waited = loader.waitMilliseconds - waitedBefore;
        const lr = warmupCosine(schedule, done);
        const moment = { step: done, learningRate: lr, seed };
        const outputs = await runner.run(moment, batch!.images);
        const [loss, prediction, sigreg] = ["loss", "prediction", "sigreg"].map(
          (name) => outputs[name]!.data[0]!,
        ) as [number, number, number];
        done++;
        if (![loss, prediction, sigreg].every(Number.isFinite)) {
          throw lossNotFinite(loss, done, folder, saved);
        }
        const now = performance.now();
        times.push(now);
        if (times.length > throughputWindow + 1) times.shift();
        const rate = ((times.length - 1) * batchSize) / ((now - times[0]!) / 1000);
        const metrics: StepMetrics = {
          step: done,
          loss,
          prediction,
          sigreg,
          lr,
          imagesPerSecond: round(rate, 1),
          dataWaitSeconds: round(waited / 1000, 6),
          seconds: round(secondsBefore + (now - began) / 1000, 3),
        };
        this.#lock!.assertHeld(1000);
        log.append(metrics);
        this.#callbacks.onStep?.(metrics);
        // Before a checkpoint, which shall not hold what a changed step should have computed otherwise.
        if (retraceEvery > 0 && (done % retraceEvery === 0 || done === steps))
          await runner.retrace();
        if (done % checkpointEvery === 0 || done === steps) await save();
      }
      if (saved !== done) await save();
    } finally {
      log.close();
    }
    return { state, done, dataWaitSeconds: loader.waitMilliseconds / 1000 };
  }

  /** Probes of the encoder as it initialised and as trained; no probes when the signal ended them. */
  async #probe(
    { config, encoder, engine, trainSet, testSet }: Loaded,
    parameters: HostTensors,
  ): Promise<{ probes: TrainResult["probes"]; picture: EmbeddingPicture | undefined }> {
    const datasets = { train: trainSet, test: testSet! };
    const images = trainSet.length + testSet!.length;
    const { signal } = this.options;
    const probed = [];
    try {
      for (const [i, values] of [encoder.init(config.seed), parameters].entries()) {
        signal?.throwIfAborted();
        const run = { config, encoder, parameters: values };
        const onProgress = (done: number): void => {
          this.#callbacks.onProbe?.(i * images + done, 2 * images);
          if (done === images) this.#callbacks.onFit?.(i === 0 ? "untrained" : "trained");
        };
        const options = { onProgress, ...(signal && { signal }) };
        probed.push(await probeEncoder(engine, run, datasets, options));
      }
    } catch (error) {
      if (signal?.aborted !== true) throw error;
      return { probes: null, picture: undefined };
    }
    const [untrained, trained] = probed as [(typeof probed)[0], (typeof probed)[0]];
    return {
      probes: { untrained: untrained.accuracies, trained: trained.accuracies },
      picture: {
        untrained: untrained.scatter,
        trained: trained.scatter,
        classes: testSet!.classes,
      },
    };
  }

  async #timed<R>(phase: keyof PhaseSeconds, body: () => Promise<R>): Promise<R> {
    this.#callbacks.onPhase?.(phase);
    const start = performance.now();
    try {
      return await body();
    } finally {
      this.#phases[phase] += (performance.now() - start) / 1000;
    }
  }
}

interface Loaded {
  readonly config: TrainConfig;
  readonly encoder: Encoder;
  readonly step: LejepaStep;
  readonly engine: Engine;
  readonly trainSet: Dataset;
  readonly testSet: Dataset | undefined;
  /** Steps done before. */
  readonly done: number;
  /** Step of the last checkpoint. */
  readonly saved: number | undefined;
  readonly state: HostTensors;
}

/** The batches of the steps that are left. */
function trainLoader({ config, trainSet, done }: Loaded): Loader {
  const { steps, seed, batchSize, workers } = config;
  return createLoader(trainSet, {
    batchSize,
    views: trainViews(config),
    seed,
    order: "shuffled",
    startBatch: done,
    batches: steps,
    workers,
  });
}

/** The step, ready to run in as many processes as the config says. */
async function compiledSteps({ config, engine, step, state }: Loaded): Promise<StepRunner> {
  if (config.processes > 1) return startRanks(config, state, engine);
  const compiled = await engine.compile(step.step, { state, inputs: step.inputs });
  return inOneProcess(engine.description, step, compiled);
}

function checkUnchanged(stored: TrainConfig, config: TrainConfig, folder: string): void {
  for (const [key, value] of Object.entries(config)) {
    const [was, is] = [stored[key as keyof TrainConfig], value].map((v) => JSON.stringify(v));
    if (was === is || changeable.has(key)) continue;
    throw new LejepaError(
      "config-differs",
      `${folder} was begun with ${key} ${was}, not ${is}; leave ${key} out to resume, or start a new run.`,
    );
  }
}

async function checkChannels(config: TrainConfig, dataset: Dataset): Promise<void> {
  const { image } = await dataset.item(0);
  if (image.channels === config.channels) return;
  throw new LejepaError(
    "invalid-config",
    `config: channels should be ${image.channels}, as the images of ${dataset.name} have, got ${config.channels}.`,
  );
}

function lossNotFinite(
  loss: number,
  step: number,
  folder: string,
  saved: number | undefined,
): LejepaError {
  const kept =
    saved === undefined
      ? "no checkpoint was written yet"
      : `the checkpoint of step ${saved} in ${folder} was kept`;
  return new LejepaError(
    "loss-not-finite",
    `train: the loss is ${loss} at step ${step}; ${kept}; lower learningRate, or look for images with broken pixels.`,
  );
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
