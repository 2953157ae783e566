import { fileURLToPath } from "node:url";

/** Deep enough for a backward pass inside a few layers of callers. */
const frames = 48;

/** The folder that holds this package's modules: `src`, or `dist` once built. */
const ownFolder = fileURLToPath(new URL(".", import.meta.url)).replace(/capture[\\/]$/, "");

/** A frame that says nothing about the caller's code: tfjs, this package, the installed @lejepa packages, their
 *  sources beside this package, Node itself. Test files are always the caller's. */
function isInternal(frame: string): boolean {
  if (/\.test\.[cm]?[jt]s/.test(frame)) return false;
  return (
    frame.includes("@tensorflow/") ||
    // Where its source maps say that it was.
    /[\\/]tfjs-(core|layers|backend-\w+)[\\/]src[\\/]/.test(frame) ||
    /node_modules[\\/]@lejepa[\\/]/.test(frame) ||
    frame.includes(ownFolder) ||
    /[\\/]packages[\\/](ops|engine)[\\/](src|dist)[\\/]/.test(frame) ||
    /\(node:|at node:|<anonymous>\)$/.test(frame)
  );
}

/** Where something was called. Taking one costs microseconds; it becomes text only when an error needs it. */
export class CallSite {
  readonly stack?: string;

  constructor() {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = frames;
    Error.captureStackTrace(this, CallSite);
    Error.stackTraceLimit = limit;
  }

  /** "file:line:column" of the first frame outside tfjs and these packages. */
  toString(): string {
    const lines = (this.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
    const caller = lines.find((line) => !isInternal(line));
    const location = caller && /\(?([^\s()]+:\d+:\d+)\)?$/.exec(caller)?.[1];
    return location?.replace(/^file:\/\//, "") ?? "an unknown line";
  }
}
