import { Interrupted } from "./interrupt.js";

/** Codes of errors that the words of the command caused, not what it found when it ran. */
const wrongUsage = new Set([
  "bad-encoder-option",
  "bad-library",
  "bad-option",
  "config-differs",
  "data-differs",
  "passed-in-code",
  "invalid-config",
  "invalid-option",
  "invalid-views",
  "not-a-run",
  "run-exists",
  "unknown-dataset",
  "unknown-encoder",
  "unknown-engine",
  "unknown-transform",
]);

/** How a command ended that did not do its work. */
export interface Failure {
  /** Which failure: the code of a LejepaError, or "wrong-usage", "interrupted", "system-error" or "unexpected-error". */
  readonly code: string;
  /** The one line that it is told in. */
  readonly message: string;
  readonly exitCode: 1 | 2;
}

/** What an error says to a person, to a program, and to the shell. */
export function describeFailure(error: unknown): Failure {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (error instanceof Error && error.name === "LejepaError" && typeof code === "string")
    return { code, message: error.message, exitCode: wrongUsage.has(code) ? 2 : 1 };
  if (error instanceof Interrupted)
    return { code: "interrupted", message: "interrupted.", exitCode: 1 };
  if (isSystemError(error))
    return {
      code: "system-error",
      message: `${error.message}; check that the path is right, may be written and has space left.`,
      exitCode: 1,
    };
  // Anything else is unforeseen: its stack is what a report of it needs.
  return {
    code: "unexpected-error",
    message: `unexpected error: ${error instanceof Error ? error.stack : String(error)}`,
    exitCode: 1,
  };
}

/** Whether the operating system refused something about a file: missing, not permitted, disk full. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
