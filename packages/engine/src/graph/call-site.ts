/** Deep enough for a backward pass inside a few layers of callers. */
const frames = 48;

/** The folder that holds this package's modules, `src`, or `dist` once built, or a bundle of them. */
const ownFolder = decodeURI(String(import.meta.url))
  .replace(/^file:\/\//, "")
  .replace(/(graph\/)?[^/]*$/, "");

/** Whose code a frame is in: that of the caller, of another package of @lejepa that the caller's code called (an
 *  encoder, a loss), or of the machinery that says nothing about either: tfjs, ops, this package, Node. */
function whose(frame: string): "caller" | "package" | "machinery" {
  // Test files are always the caller's.
  if (/\.test\.[cm]?[jt]s/.test(frame)) return "caller";
  if (
    frame.includes("@tensorflow/") ||
    // Where its source maps say that it was.
    /[\\/]tfjs-(core|layers|backend-\w+)[\\/]src[\\/]/.test(frame) ||
    frame.includes(ownFolder) ||
    /[\\/]packages[\\/](ops|engine)[\\/](src|dist)[\\/]/.test(frame) ||
    /[\\/]node_modules[\\/]@lejepa[\\/](ops|engine)[\\/]/.test(frame) ||
    /\(node:|at node:|<anonymous>\)$/.test(frame)
  )
    return "machinery";
  const installed = /[\\/]node_modules[\\/](@lejepa[\\/]\w+|lejepa)[\\/]/;
  return installed.test(frame) ? "package" : "caller";
}

/** Where something was called. Taking one costs microseconds; it becomes text only when an error needs it. */
export class CallSite {
  readonly stack?: string;

  /** Where an exception came from, by its stack. */
  static of(stack: string | undefined): CallSite {
    return Object.assign(Object.create(CallSite.prototype) as CallSite, { stack });
  }

  /** Runs what may throw with stacks that reach the caller's code. */
  static deeply<R>(body: () => R): R {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = frames;
    try {
      return body();
    } finally {
      Error.stackTraceLimit = limit;
    }
  }

  constructor() {
    CallSite.deeply(() => Error.captureStackTrace(this, CallSite));
  }

  /** "file:line:column" of the first frame of the caller's own code; without one, of the first in another of these
   *  packages: a command line that trains an encoder has no other code. */
  toString(): string {
    const lines = (this.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
    const found =
      lines.find((line) => whose(line) === "caller") ??
      lines.find((line) => whose(line) === "package");
    const location = found && /\(?([^\s()]+:\d+:\d+)\)?$/.exec(found)?.[1];
    return location?.replace(/^file:\/\//, "") ?? "an unknown line";
  }
}
