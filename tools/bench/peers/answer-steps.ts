import { createInterface } from "node:readline";
import type { OpenStep } from "../step.js";

/** What a process with a step does for whoever started it: warms up, says `ready`, then answers each line `N` with the
 *  times of N steps. */
export async function answerSteps({ run }: Pick<OpenStep, "run">): Promise<void> {
  for (let i = 0; i < 4; i++) await run();
  console.log("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    const times: number[] = [];
    for (let i = 0; i < Number(line); i++) times.push((await run()).milliseconds);
    console.log(JSON.stringify(times));
  }
}
