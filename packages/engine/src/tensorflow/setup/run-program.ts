import { spawn } from "node:child_process";

/** How a program ended. */
export interface ProgramEnd {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, without input; undefined when there is none of this name.
 *  An abort ends it, waits until it is gone, and rejects with the signal's reason. */
export async function runProgram(
  name: string,
  args: readonly string[],
  signal: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ProgramEnd | undefined> {
  signal.throwIfAborted();
  const end = await new Promise<ProgramEnd | undefined>((resolve, reject) => {
    const child = spawn(name, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const stop = (): void => void child.kill("SIGTERM");
    signal.addEventListener("abort", stop);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return; // it runs, and could not be killed
      signal.removeEventListener("abort", stop);
      if (error.code === "ENOENT" || error.code === "EACCES") resolve(undefined);
      else reject(error);
    });
    child.on("close", (code) => {
      signal.removeEventListener("abort", stop);
      resolve({ code, stdout, stderr });
    });
  });
  signal.throwIfAborted();
  return end;
}

/** The last line that a program said, to end a message with. */
export function lastWords({ code, stdout, stderr }: ProgramEnd): string {
  const line = `${stdout}\n${stderr}`.trim().split("\n").at(-1)?.trim() ?? "";
  return line === "" ? `it ended with ${code === null ? "a signal" : `exit code ${code}`}` : line;
}
