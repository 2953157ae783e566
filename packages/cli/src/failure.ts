import { Interrupted } from "./interrupt.js";

/** Codes of errors that the words of the command caused, not what it found when it ran. */
const wrongUsage = new Set([
  "unknown-dataset",
  "unknown-encoder",
  "unknown-engine",
  "config-differs",
  "data-differs",
  "passed-in-code",
  "invalid-config",
  "invalid-option",
  "run-exists",
  "not-a-run",
  "bad-library",
]);

/** The one line that an error is told in, and the exit code that goes with it. */
export function describeFailure(error: unknown): { message: string; exitCode: 1 | 2 } {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (error instanceof Error && error.name === "LejepaError" && typeof code === "string")
    return { message: error.message, exitCode: wrongUsage.has(code) ? 2 : 1 };
  if (error instanceof Interrupted) return { message: "interrupted.", exitCode: 1 };
  if (isSystemError(error))
    return {
      message: `${error.message}; check that the path is right, may be written and has space left.`,
      exitCode: 1,
    };
  // Anything else is unforeseen: its stack is what a report of it needs.
  return {
    message: `unexpected error: ${error instanceof Error ? error.stack : String(error)}`,
    exitCode: 1,
  };
}

/** Whether the operating system refused something about a file: missing, not permitted, disk full. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
