import { join } from "node:path";
import type { TrainResult } from "@lejepa/trainer";
import { counted } from "./counted.js";

/** What a finished or interrupted run has to say to a person. */
export function summary(source: string, result: TrainResult): string {
  const { status, run, steps, probes, phases, seconds, engineDescription, dataWaitSeconds } =
    result;
  const lines: string[] = [""];
  if (status === "already-finished")
    lines.push(`This run had finished already, after ${counted(steps, "step")}.`);
  else if (status === "interrupted")
    lines.push(`Interrupted after ${counted(steps, "step")}; a checkpoint was written.`);
  else lines.push(`Finished ${counted(steps, "step")} on ${engineDescription}.`);
  if (probes !== null) {
    const row = (name: string, kind: "linear" | "knn"): string =>
      `  ${name.padEnd(22)}${percent(probes.untrained[kind])}   ${percent(probes.trained[kind])}`;
    lines.push(
      "",
      `  ${"test accuracy".padEnd(22)}untrained   trained`,
      row("linear probe", "linear"),
      row("kNN (k = 20)", "knn"),
    );
  }
  const times = (["load", "compile", "train", "probe"] as const).map((phase) => {
    const waited =
      phase === "train" && phases.train > 0
        ? ` (${(100 * (dataWaitSeconds / phases.train)).toFixed(1)} % waiting for images)`
        : "";
    return `${phase} ${phases[phase].toFixed(1)} s${waited}`;
  });
  lines.push("", `  time    ${times.join(", ")}; ${seconds.toFixed(1)} s in all`);
  lines.push(`  report  ${join(run, "report.html")}`);
  if (status === "interrupted")
    lines.push("", `Go on with: lejepa train ${source} --run ${shellWord(run)} --resume`);
  return `${lines.join("\n")}\n`;
}

/** A path as a shell takes it for one word. */
const shellWord = (path: string): string =>
  /^[\w./:@%+,=~\\-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} %`.padStart(9);
}
