import { resolve } from "node:path";
import { createLoader, datasetNames, openDataset, type Dataset, type Loader } from "@lejepa/data";
import type { Encoder } from "@lejepa/encoders";
import { createEngine, type Engine } from "@lejepa/engine";
import {
  abortSignal,
  anything,
  LejepaError,
  optional,
  requireOptions,
  someBoolean,
  someFunction,
  someObject,
  someText,
  type Expected,
  type HostTensors,
} from "@lejepa/ops";
import { checkState, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import {
  completeConfig,
  readInput,
  resumedConfig,
  trainViews,
  type TrainConfig,
  type TrainConfigInput,
} from "./config.js";
import { checkRunEncoder } from "./encoder-argument.js";
import type { LejepaStep } from "./lejepa-step.js";
import { openMetricsLog, readMetrics, type StepMetrics } from "./metrics-log.js";
import { presetOf } from "./presets/preset-of.js";
import { probeEncoder } from "./probe-encoder.js";
import { startRanks } from "./rank-threads.js";
import { writeReport, type EmbeddingPicture } from "./report.js";
import type { PhaseSeconds, TrainResult } from "./result.js";
import type { OwnerLock } from "./owner-lock.js";
import {
  configWith,
  encoderOf,
  encoderPart,
  digestOfParameters,
  namedEncoder,
  passedInCode,
} from "./run-encoder.js";
import {
  claimNewRun,
  claimRun,
  readConfig,
  readResult,
  removeResult,
  writeConfig,
  writeResult,
  type StoredConfig,
} from "./run-folder.js";
import type { RunRecord } from "./run-record.js";
import { extendedRate } from "./schedule.js";
import { stepOf } from "./step-of.js";
import { inOneProcess, type StepRunner } from "./step-runner.js";
import { dataWith, identifyData, type IdentifiedData } from "./training-data.js";

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
  /** What is out of the ordinary about this session and goes on the run's record, a sentence each for a person: other
   *  data, a longer schedule, a fingerprint stored only now. */
  readonly notes: readonly string[];
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
  /** With `resume`: lets the steps, or epochs, of the config be more than the run was begun with. The cosine is spread
   *  over the new length, so the learning rate jumps up to where the longer schedule is at that step; the warm-up is not
   *  repeated; steps done keep their rates. Written to the run's record, so that later resumes follow the same rates. */
  readonly extend?: boolean;
  /** With `resume`: lets the run go on with other images than it was begun with, which is written to its record. */
  readonly allowOtherData?: boolean;
  /** Ends the run early: the step at hand is finished and a checkpoint written. */
  readonly signal?: AbortSignal;
  /** What to tell, and to whom. */
  readonly callbacks?: TrainCallbacks;
  /** Datasets to use instead of those that `config.source` names. `test` is needed by the probes only. To resume the run
   *  they have to be passed again. */
  readonly datasets?: { readonly train: Dataset; readonly test?: Dataset };
  /** An encoder to train instead of the one that `config.encoder` names; it brings its name, `imageSize` and `channels`.
   *  To open or resume the run it has to be passed again. For one process. */
  readonly encoder?: Encoder;
}

/** Trains an encoder with LeJEPA and leaves a run folder: `config.json`, `metrics.jsonl`, `checkpoint/`, `report.html`
 *  and, once finished, `result.json`.
 *
 *  With `resume` the config of the folder counts. Keys given in `config` have to agree with it, except those that do not
 *  change what is computed: `engine`, `processes`, `workers`, `checkpointEvery`, `retraceEvery` and `probe`. The images
 *  have to be those that the run was begun with, wherever they lie: `folder` may be another one, with the same content.
 *  Both are held by the run's record in `config.json`; `extend` and `allowOtherData` are the ways to go on otherwise. On
 *  the same engine with the same number of processes a resumed run gives the losses of an uninterrupted one, bit for bit,
 *  extended or not.
 *
 *  While it works, the folder is this process's alone; others may read it (`openRun`).
 *
 *  @throws LejepaError "run-exists", "not-a-run", "not-writable", "unreadable-file", "invalid-config", "invalid-option",
 *  "config-differs", "data-differs", "encoder-differs", "passed-in-code", "corrupt-checkpoint", "corrupt-metrics",
 *  "corrupt-result"; "unknown-dataset" for a source that has no name and no `datasets`; "locked", which says what process
 *  is at work in the folder, and "lock-lost" when another one has taken it over; "disk-full", which leaves what was there
 *  before;
 *  "image-shape" for views of a size that the encoder does not take;
 *  "changing-constant" and "changing-structure", with `retraceEvery`, where the step is no longer what was compiled;
 *  "loss-not-finite" and "state-not-finite", which name the step and keep the last good checkpoint; and what datasets,
 *  encoders and engines throw */
export async function train(config: TrainConfigInput, options: TrainOptions): Promise<TrainResult> {
  checkOptions(options);
  const input = readInput(config, options.resume === true ? "resumed" : "new");
  const session = new Session(resolve(options.run), options);
  try {
    return await session.run(input);
  } finally {
    await session.close();
  }
}

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

  async run(input: TrainConfigInput): Promise<TrainResult> {
    const { folder, options } = this;
    const isResumed = options.resume === true;
    // Before anything of the folder is read, and before anything slow begins.
    const claim = isResumed ? claimRun : claimNewRun;
    this.#lock = await claim(folder, { force: options.forceUnlock === true });

    const loaded = await this.#timed("load", () => this.#load(input));
    const { config, record, stored, engine, done, notes } = loaded;
    const before = isResumed ? readResult(folder) : undefined;
    // A run whose last checkpoint is gone has not finished, whatever it once reported; nor has one that was extended.
    const isFinished = before?.steps === config.steps && done === config.steps;
    if (isFinished && (!config.probe || before.probes !== null)) {
      return this.#end({ ...before, run: folder, status: "already-finished" });
    }
    // Before anything is written: a start that fails leaves the run as it was. The log is read again as it is opened.
    if (isResumed) readMetrics(folder);

    const resumedFrom = isResumed ? done : null;
    let description = engine.description;
    const start = (): void =>
      this.#callbacks.onStart?.({
        config,
        run: folder,
        resumedFrom,
        engine: engine.name,
        engineDescription: description,
        notes,
      });
    const write = async (): Promise<void> => {
      await writeConfig(folder, { config, record }, this.#guard);
      // The result of the run that was extended.
      if (before !== undefined && before.steps !== config.steps)
        await removeResult(folder, this.#guard);
    };
    let trained = { state: loaded.state, done, dataWaitSeconds: 0 };
    if (done < config.steps) {
      // Its threads make the first batches while the step is compiled.
      const loader = trainLoader(loaded);
      try {
        const steps = await this.#timed("compile", () => compiledSteps(loaded));
        description = steps.description;
        try {
          await write();
          start();
          trained = await this.#timed("train", () => this.#train(loaded, steps, loader));
        } finally {
          await steps.dispose();
        }
      } finally {
        await loader.close();
      }
    } else {
      // Settings are those of the training, which is over.
      if (stored !== undefined)
        await writeConfig(folder, { config: stored.config, record }, this.#guard);
      start();
    }

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
    const { parameterCounts } = loaded.step;
    const content = {
      config,
      record,
      parameterCounts,
      metrics: readMetrics(folder),
      result,
      picture,
    };
    await writeReport(folder, content, this.#guard);
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

  async #load(given: TrainConfigInput): Promise<Loaded> {
    const { folder, options } = this;
    const { datasets, encoder: passed } = options;
    const stored = options.resume === true ? readConfig(folder) : undefined;
    if (stored !== undefined) checkPassed(folder, stored, options);
    const encoderBefore = stored && encoderOf(folder, stored, passed);
    const input = passed === undefined ? given : configWith(passed, given);
    const recordBefore = stored?.record ?? newRecord(options);

    const source = stored?.config.source ?? input.source;
    const dataFolder = input.folder ?? stored?.config.folder;
    const open = (split: "train" | "test"): Promise<Dataset> =>
      openSource(source, split, dataFolder);
    const other = options.allowOtherData === true ? "record" : "refuse";
    const identify = (part: "train" | "test", dataset: Dataset): Promise<IdentifiedData> =>
      identifyData(folder, recordBefore, part, dataset, other);
    const trainSet = datasets?.train ?? (await open("train"));
    // Other data are other data, not a batch that is too large for them; faults of a new config are told before.
    const trainBefore = stored && (await identify("train", trainSet));
    const trainImages = trainSet.length;
    const config =
      stored === undefined
        ? completeConfig(input, presetOf(input.source, input.preset), trainImages)
        : resumedConfig(folder, stored.config, input, {
            trainImages,
            extend: options.extend === true,
          });
    const train = trainBefore ?? (await identify("train", trainSet));
    checkChannels(config, train);
    let testSet: Dataset | undefined;
    if (config.probe) {
      if (datasets !== undefined && datasets.test === undefined) {
        throw new LejepaError(
          "invalid-config",
          "config: probe needs a test set; pass datasets.test, or leave probe out.",
        );
      }
      testSet = datasets?.test ?? (await open("test"));
    }
    const test = testSet && (await identify("test", testSet));

    const encoder = encoderBefore ?? passed ?? namedEncoder(config);
    const step = stepOf(config, encoder);
    const initial = step.initialState(config.seed);
    const checkpoint = stored && (await readCheckpoint(folder, encoder));
    if (checkpoint !== undefined) checkState(folder, config.seed, checkpoint, initial);
    const done = checkpoint?.step ?? 0;
    const stepsBefore = stored?.config.steps ?? config.steps;
    const isExtended = config.steps > stepsBefore;
    const extension = { fromStep: done, from: stepsBefore, to: config.steps };
    const record: RunRecord = {
      ...recordBefore,
      data: dataWith(recordBefore, done, train, test),
      extensions: [...recordBefore.extensions, ...(isExtended ? [extension] : [])],
    };
    const engine = (this.#engine = await createEngine(config.engine, {
      precision: config.precision,
      engines: config.processes,
    }));
    return {
      config,
      record,
      stored,
      notes: [
        ...(stored !== undefined && recordBefore.data.length === 0
          ? [
              "The run has no fingerprint of the images that it was begun with; that of these images is stored now.",
            ]
          : []),
        ...[train, test].flatMap((part) =>
          part === undefined || part.differences.length === 0
            ? []
            : [
                `From step ${done} on the run ${part === train ? "is trained on" : "is tested with"} other images: ${part.differences.join("; ")}.`,
              ],
        ),
        ...(isExtended
          ? [
              `The run is extended from ${stepsBefore} to ${config.steps} steps; its learning rate goes on at ${Number(rateAt(config, record, done).toPrecision(3))}, where the longer schedule is.`,
            ]
          : []),
      ],
      encoder,
      step,
      engine,
      trainSet,
      testSet,
      done,
      saved: checkpoint?.step,
      state: checkpoint?.state ?? initial,
    };
  }

  async #train(
    { config, record, encoder, done: doneBefore, saved: savedBefore }: Loaded,
    runner: StepRunner,
    loader: Loader,
  ): Promise<{ state: HostTensors; done: number; dataWaitSeconds: number }> {
    const { folder } = this;
    const { steps, seed, batchSize, checkpointEvery, retraceEvery } = config;
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
        const lr = rateAt(config, record, done);
        const moment = { step: done, learningRate: lr, seed };
        const outputs = await runner.run(moment, batch!);
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

interface Loaded extends StoredConfig {
  /** What the folder held before. */
  readonly stored: StoredConfig | undefined;
  readonly notes: readonly string[];
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

/** The learning rate of a step, counted from 0. */
function rateAt(config: TrainConfig, { extensions }: RunRecord, step: number): number {
  const { learningRate: peak, warmupSteps, steps, finalFraction } = config;
  return extendedRate({ peak, warmupSteps, steps, finalFraction }, extensions, step);
}

function newRecord({ encoder, datasets }: TrainOptions): RunRecord {
  return {
    begun: new Date().toISOString(),
    inCode: [...(encoder ? ["encoder" as const] : []), ...(datasets ? ["datasets" as const] : [])],
    ...(encoder && { encoderParameters: digestOfParameters(encoder) }),
    data: [],
    extensions: [],
  };
}

async function openSource(
  source: string,
  split: "train" | "test",
  folder: string | undefined,
): Promise<Dataset> {
  try {
    return await openDataset(source, { split, ...(folder !== undefined && { folder }) });
  } catch (error) {
    if ((error as Partial<LejepaError>).code !== "unknown-dataset") throw error;
    const { message } = error as Error;
    throw new LejepaError(
      "unknown-dataset",
      `${message} Train on it by train(config, { run, datasets: { train, test } }) of @lejepa/trainer; config.source is then its name.`,
      { cause: error },
    );
  }
}

const optionValues: Readonly<Record<keyof TrainOptions, Expected>> = {
  run: someText,
  resume: optional(someBoolean),
  forceUnlock: optional(someBoolean),
  extend: optional(someBoolean),
  allowOtherData: optional(someBoolean),
  signal: optional(abortSignal),
  callbacks: optional(someObject),
  datasets: optional(someObject),
  encoder: anything,
};
const callbackValues: Readonly<Record<keyof TrainCallbacks, Expected>> = {
  onPhase: optional(someFunction),
  onStart: optional(someFunction),
  onStep: optional(someFunction),
  onCheckpoint: optional(someFunction),
  onProbe: optional(someFunction),
  onFit: optional(someFunction),
  onEnd: optional(someFunction),
};

/** For callers whose compiler did not check, and for combinations that no compiler knows. */
function checkOptions(options: TrainOptions): void {
  requireOptions("train", options, optionValues, "invalid-option");
  const { resume, extend, allowOtherData, callbacks = {}, datasets, encoder } = options;
  requireOptions("train, callbacks", callbacks, callbackValues, "invalid-option");
  if (encoder !== undefined) checkRunEncoder(encoder);
  for (const [name, value] of Object.entries({ extend, allowOtherData })) {
    if (value !== true || resume === true) continue;
    throw new LejepaError(
      "invalid-option",
      `train: ${name} goes with resume: true; set both or none.`,
    );
  }
  if (datasets === undefined) return;
  const parts = { train: anything, test: anything };
  requireOptions("train, datasets", datasets, parts, "invalid-option");
  for (const part of ["train", "test"] as const) {
    const dataset = datasets[part] as Partial<Dataset> | undefined;
    if (dataset === undefined && part === "test") continue;
    if (typeof dataset?.item === "function" && typeof dataset.name === "string") continue;
    throw new LejepaError(
      "invalid-option",
      `train: datasets.${part} should be a Dataset, an object with name, length and item(index), such as arrayDataset of @lejepa/data makes.`,
    );
  }
}

/** Throws "passed-in-code" when parts of a stored run, which no name finds again, are not passed. */
function checkPassed(
  folder: string,
  { config, record }: StoredConfig,
  { encoder, datasets }: TrainOptions,
): void {
  const lacking = [
    ...(record.inCode.includes("encoder") && encoder === undefined ? [encoderPart(config)] : []),
    // Data that were passed under a name that can be opened may be the same; their fingerprint tells.
    ...(datasets === undefined && !datasetNames().includes(config.source)
      ? [`the images "${config.source}"`]
      : []),
  ];
  if (lacking.length > 0) throw passedInCode(folder, lacking);
}

function checkChannels({ channels }: TrainConfig, { fingerprint }: IdentifiedData): void {
  if (fingerprint.channels === channels) return;
  throw new LejepaError(
    "invalid-config",
    `config: channels should be ${fingerprint.channels}, as the images of ${fingerprint.name} have, got ${channels}.`,
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
