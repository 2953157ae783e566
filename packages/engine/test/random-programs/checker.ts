/** A process that checks programs (check-process.ts), started again when one takes it along. */
import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { Answer, Request } from "./check-process.js";
import type { FoundValue } from "./found-values.js";
import type { GenerateOptions } from "./generate.js";
import type { Verdict } from "./judge.js";
import type { Program } from "./program.js";
import type { Gradients, TargetName } from "./targets.js";

/** Verdicts by target. */
export type Verdicts = Readonly<Partial<Record<TargetName, Verdict>>>;

/** Longer than the slowest program takes, start of the process included. */
const patience = 120_000;

export class Checker {
  #child: ChildProcess | undefined;
  #stopped = false;
  #said = "";
  /** Seeds that the process has checked since it started, the last one at the end: memory that one of them spoilt may
   *  show in a later one. */
  #since: number[] = [];

  /** @param fault name of a planted fault, for the test of the tests */
  constructor(
    readonly gradients: Gradients,
    private readonly fault?: string,
  ) {}

  async generate(seed: number, options?: GenerateOptions): Promise<Program> {
    const answer = await this.#ask({ kind: "generate", seed, ...(options && { options }) });
    if (answer.kind === "generated") return answer.program;
    throw new Error(`Program ${seed} cannot be made: ${JSON.stringify(answer)}`);
  }

  /** The values of every operation in the first run; undefined where tfjs refuses one. */
  async values(program: Program): Promise<readonly FoundValue[] | undefined> {
    const answer = await this.#ask({ kind: "values", program });
    return answer.kind === "values" ? answer.values : undefined;
  }

  async check(program: Program, targets: readonly TargetName[]): Promise<Verdicts> {
    this.#since.push(program.seed);
    const verdicts: Partial<Record<TargetName, Verdict>> = {};
    for (let left = [...targets]; left.length > 0;) {
      const answer = await this.#ask({ kind: "check", program, targets: left });
      if (answer.kind === "checked") return { ...verdicts, ...answer.verdicts };
      if (answer.kind !== "ended")
        throw new Error(`Program ${program.seed} cannot be checked: ${JSON.stringify(answer)}`);
      // What came before is asked again without the one that ended the process.
      const { target, how, verdict } = answer;
      if (target === undefined) throw new Error(`The checking process does not start: ${how}`);
      verdicts[target] = {
        kind: verdict,
        message: `${how}; programs of this process: ${answer.since.slice(-8).join(", ")}`,
      };
      left = left.filter((name) => name !== target);
    }
    return verdicts;
  }

  /** Ends the process; what is asked for is left without an answer. */
  stop(): void {
    this.#stopped = true;
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  #start(): ChildProcess {
    const child = fork(
      join(import.meta.dirname, "check-process.ts"),
      [this.gradients, this.fault].filter((a) => a !== undefined),
      {
        execArgv: ["--import", "tsx"],
        serialization: "advanced",
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      },
    );
    // Between two requests too: the next one starts another.
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    child.stderr!.on(
      "data",
      (chunk: Buffer) => (this.#said = (this.#said + String(chunk)).slice(-2000)),
    );
    this.#said = "";
    this.#since = this.#since.slice(-1);
    this.#child = child;
    return child;
  }

  #ask(request: Request): Promise<Exclude<Answer, { kind: "starts" }> | Ended> {
    const child = this.#child ?? this.#start();
    return new Promise((resolve) => {
      let target: TargetName | undefined;
      const finish = (answer: Exclude<Answer, { kind: "starts" }> | Ended): void => {
        clearTimeout(timer);
        child.off("message", onMessage).off("exit", onExit).off("error", onError);
        resolve(answer);
      };
      const onMessage = (answer: Answer): void => {
        if (answer.kind === "starts") target = answer.target;
        else finish(answer);
      };
      const ended = (verdict: Ended["verdict"], how: string): void => {
        this.#child = undefined;
        if (this.#stopped) return;
        finish({ kind: "ended", verdict, target, how, since: this.#since });
      };
      const onExit = (code: number | null, signal: string | null): void => {
        const last = this.#said.trim().split("\n").at(-1) ?? "";
        ended(
          "process death",
          `the process ended with ${signal ?? `code ${code}`}${last && `, saying "${last.slice(0, 200)}"`}`,
        );
      };
      const onError = (error: Error): void => ended("process death", error.message);
      const timer = setTimeout(() => {
        child.off("exit", onExit).kill("SIGKILL");
        ended("no answer", `no answer within ${patience / 1000} s`);
      }, patience);
      child.on("message", onMessage).on("exit", onExit).on("error", onError);
      child.send(request);
    });
  }
}

interface Ended {
  readonly kind: "ended";
  readonly verdict: "process death" | "no answer";
  readonly target: TargetName | undefined;
  readonly how: string;
  readonly since: readonly number[];
}
