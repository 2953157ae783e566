/** Whether the conformance cases notice mutants of the float64 adapter. */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { mutatedFiles, mutatedFolder } from "./mutated-files.js";
import { mutantsOf, type Mutant } from "./mutants-of.js";

/** What became of a mutant. */
export interface Outcome {
  readonly id: string;
  /** The first case that failed, or why none was needed; nothing for a mutant that survived. */
  readonly noticedBy: string | undefined;
}

const read = (file: string): string => readFileSync(`${mutatedFolder}/${file}`, "utf8");

/** All mutants of the adapter's files. */
export function everyMutant(): Mutant[] {
  return mutatedFiles.flatMap((file) => mutantsOf(file, read(file)));
}

/** Runs mutants in `threads` threads.
 *  @param limit seconds after which a mutant has been noticed: by whoever waits for its answer
 *  @param report called after each
 *  @param unbroken the text of a file as it is, which has to pass */
export async function runMutants(
  mutants: readonly Mutant[],
  threads: number,
  limit: number,
  report: (outcome: Outcome, done: number) => void = () => undefined,
  unbroken = read,
): Promise<Outcome[]> {
  await checkUnbroken(limit, unbroken);
  const outcomes: Outcome[] = [];
  const waiting = [...mutants];
  const lane = async () => {
    let worker: Worker | undefined;
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      worker ??= newWorker();
      const noticedBy = await ask(worker, mutant, limit);
      if (noticedBy === late) {
        await worker.terminate();
        worker = undefined;
      }
      const outcome = { id: mutant.id, noticedBy };
      outcomes.push(outcome);
      report(outcome, outcomes.length);
    }
    await worker?.terminate();
  };
  await Promise.all(Array.from({ length: threads }, lane));
  return mutants.map(({ id }) => outcomes.find((outcome) => outcome.id === id)!);
}

/** Throws unless the files pass as they are: else every mutant would seem to be noticed. */
async function checkUnbroken(limit: number, unbroken: typeof read): Promise<void> {
  const worker = newWorker();
  try {
    for (const file of mutatedFiles) {
      const text = unbroken(file);
      const noticedBy = await ask(worker, { id: file, file, text }, limit);
      if (noticedBy !== undefined) throw new Error(`${file} fails as it is: ${noticedBy}.`);
    }
  } finally {
    await worker.terminate();
  }
}

const late = "it does not end";

function newWorker(): Worker {
  return new Worker(new URL("./mutant-thread.mjs", import.meta.url));
}

/** What a mutant was noticed by. One that uses up all memory does not end either. */
function ask(worker: Worker, { file, text }: Mutant, limit: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (value: string | undefined) => {
      clearTimeout(timer);
      worker.off("message", answered);
      worker.off("error", failed);
      resolve(value);
    };
    const answered = (answer: { noticedBy: string | undefined }) => settle(answer.noticedBy);
    const failed = (error: Error & { code?: string }) => {
      if (error.code === "ERR_WORKER_OUT_OF_MEMORY") settle(late);
      else reject(error);
    };
    const timer = setTimeout(() => settle(late), limit * 1000);
    worker.on("message", answered);
    worker.on("error", failed);
    worker.postMessage({ file, text });
  });
}
