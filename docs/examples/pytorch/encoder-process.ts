/** A Python process that answers in raw float32: see encoder.py for what is said. */
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface EncoderProcess {
  /** Sends numbers, in order. */
  send(...parts: (number | Float32Array)[]): void;
  /** The next numbers of the answer. */
  receive(count: number): Promise<Float32Array>;
  /** Ends the process and waits for its end. */
  end(): Promise<void>;
}

/** Starts `python3 encoder.py` with these arguments. What it writes to standard error is shown. */
export function startEncoder(...args: number[]): EncoderProcess {
  const script = `${import.meta.dirname}/encoder.py`;
  const child = spawn("python3", [script, ...args.map(String)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const failed = new Promise<never>((_, reject) => {
    child.once("error", (cause) =>
      reject(new Error("python3 does not start; install it and PyTorch.", { cause })),
    );
    child.once("close", () => reject(new Error("encoder.py has ended; its message is above.")));
  });
  failed.catch(() => undefined); // whoever waits for an answer sees it
  child.stdin.on("error", () => undefined); // as does whoever writes to a process that has ended

  return {
    send(...parts) {
      for (const part of parts) {
        const { buffer, byteOffset, byteLength } =
          typeof part === "number" ? Float32Array.of(part) : part;
        // A copy: the pipe may take its time, and the caller may fill the array again.
        child.stdin.write(Buffer.from(buffer.slice(byteOffset, byteOffset + byteLength)));
      }
    },
    async receive(count) {
      for (;;) {
        // Nothing, until so many bytes have come.
        const bytes = child.stdout.read(4 * count) as Buffer | null;
        if (bytes?.length === 4 * count)
          return new Float32Array(
            bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 4 * count),
          );
        await Promise.race([once(child.stdout, "readable"), failed]);
      }
    },
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}
