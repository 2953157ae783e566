/** Calls a step, and makes an error of this package of whatever goes wrong inside: what, on which line of the caller's
 *  code, and what to do. */
import { LejepaError, type HostTensors, type Tensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { CallSite } from "./graph/call-site.js";
import { engineError } from "./engine-error.js";
import type { EngineName, Step } from "./engine.js";
import { indexWayOut } from "./passes/index-checks.js";
import { shown } from "./shown.js";
import { checkStepResult } from "./step-result.js";

/** What a step returns for these tensors, checked by {@link checkStepResult}. An error with a code, of whatever package, comes through as it is.
 *  @throws LejepaError "step-failed" for every other exception, which is its `cause`; "no-gradient";
 *  "unsupported-kernel" for a kernel that is registered nowhere; "index-out-of-range" where tfjs finds one */
export function callStep(
  step: Step,
  { state, inputs }: { readonly state: Tensors; readonly inputs: Tensors },
  declared: HostTensors,
  engine: EngineName,
): { state: Tensors; outputs: Tensors } {
  const missing = new Set<string>();
  const explanation = () => unknownNames(missing, { state, inputs });
  const tape = tf.engine().state.activeTape;
  try {
    const result: unknown = CallSite.deeply(() =>
      withNamedGradients(() =>
        step(watched("state", state, missing), watched("inputs", inputs, missing)),
      ),
    );
    return checkStepResult(result, declared, explanation());
  } catch (error) {
    releaseTape(tape);
    throw stepFailure(error, engine, explanation);
  }
}

/** A step may ask for what is not there (`state.mask ?? ones`), spread what it is given, or look for a name with `in`:
 *  only the names that it read in vain are noted, for the error of a step that fails. */
const watched = (of: "state" | "inputs", tensors: Tensors, missing: Set<string>): Tensors =>
  new Proxy(tensors, {
    get(target, name) {
      const tensor: unknown = Reflect.get(target, name);
      if (tensor === undefined && typeof name === "string") missing.add(`${of}.${name}`);
      return tensor;
    },
  });

/** Names of a list in an error; a network has hundreds. */
const mostNames = 8;

const someOf = (names: readonly string[]): string =>
  names.length > mostNames
    ? `${names.slice(0, mostNames).join(", ")} and ${names.length - mostNames} more`
    : names.join(", ");

/** What a failed step read in vain, and what there is; nothing if all was there. */
function unknownNames(
  missing: ReadonlySet<string>,
  given: { readonly state: Tensors; readonly inputs: Tensors },
): string | undefined {
  if (missing.size === 0) return undefined;
  const declared = (["state", "inputs"] as const).map((of) => {
    const names = Object.keys(given[of]);
    return names.length === 0 ? `no ${of}` : `${of} ${someOf(names)}`;
  });
  return `the step reads ${someOf([...missing])}, which is not declared; declared are ${declared.join(" and ")}`;
}

/** tfjs takes kernels without a gradient onto its tape and says which it was only on the way back, without a line. While
 *  `body` runs, the gradient of those is an error that knows where they were called. */
function withNamedGradients<R>(body: () => R): R {
  const engine = tf.engine() as unknown as { addTapeNode: AddTapeNode };
  const outer = Object.hasOwn(engine, "addTapeNode") ? engine.addTapeNode : undefined;
  const addTapeNode = engine.addTapeNode.bind(engine);
  engine.addTapeNode = (kernelName, inputs, outputs, gradient, ...rest) =>
    addTapeNode(
      kernelName,
      inputs,
      outputs,
      gradient ?? (tf.getGradient(kernelName) ? undefined : withoutGradient(kernelName)),
      ...rest,
    );
  try {
    return body();
  } finally {
    if (outer) engine.addTapeNode = outer;
    // The method of the class shows again.
    else delete (engine as Partial<typeof engine>).addTapeNode;
  }
}

type AddTapeNode = (
  kernelName: string,
  inputs: unknown,
  outputs: unknown,
  gradient: (() => never) | undefined,
  ...rest: unknown[]
) => void;

function withoutGradient(kernelName: string): () => never {
  const site = new CallSite();
  return () => {
    throw engineError(
      "no-gradient",
      `tfjs has no gradient for the kernel ${kernelName}, called at ${String(site)}, through which the step differentiates; call it outside of the function that tf.grad or tf.valueAndGrads is given, or give it a gradient with tf.customGrad.`,
    );
  };
}

/** Lets go of what a gradient that failed has kept for its way back: tfjs itself does so only at the end of that. */
function releaseTape(before: unknown): void {
  const { state } = tf.engine();
  if (state.gradientDepth > 0 || state.activeTape === before) return;
  for (const { saved } of state.activeTape) tf.dispose(saved);
  state.activeTape = [];
}

/** What the caller of an engine gets for an exception from inside of a step. */
export function stepFailure(
  cause: unknown,
  engine: EngineName,
  explanation: () => string | undefined = () => undefined,
): unknown {
  // Packages that do not share the class have one of the same name.
  if (cause instanceof LejepaError || (cause as Error | null | undefined)?.name === "LejepaError")
    return cause;
  if (!isError(cause))
    return engineError(
      "step-failed",
      `The step throws ${shown(cause)}, which is no Error and so tells no line; throw an Error in its place.`,
      { cause },
    );
  const site = String(CallSite.of(cause.stack));
  const kernel = /Kernel '(.+?)' not registered/.exec(cause.message)?.[1];
  if (kernel !== undefined)
    return engineError(
      "unsupported-kernel",
      engine === "eager"
        ? `The tfjs backend ${tf.getBackend()} of the eager engine has no kernel ${kernel}, called at ${site}; write it in other operations, or create the engine with another backend.`
        : `The ${engine} engine has no lowering for the kernel ${kernel}, called at ${site}; write it in tfjs-core operations, or run the step on the "eager" engine.`,
      { cause },
    );
  if (wordsOfIndices.test(cause.message))
    return engineError(
      "index-out-of-range",
      `run: ${cause.message.replace(/[.!]$/, "")}, called at ${site}; ${indexWayOut}.`,
      { cause },
    );
  return engineError(
    "step-failed",
    `The step fails at ${site} with "${reasonOf(cause)}"; ${explanation() ?? "mend that call, or see the cause of this error"}.`,
    { cause },
  );
}

/** Errors of another realm are none by instanceof. */
const isError = (value: unknown): value is Error =>
  value instanceof Error ||
  (typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<Error>).message === "string" &&
    typeof (value as Partial<Error>).stack === "string");

/** tfjs's own words for an index outside: those of its cpu and wasm backends. */
const wordsOfIndices =
  /^GatherV2: the index value .* is not in|^Invalid indices: .* does not index into|^Input x must be non-negative!/;

/** An error in one line. */
function reasonOf({ name, message }: Error): string {
  const text = message.replace(/\s+/g, " ").trim().slice(0, 300).replace(/[.!]$/, "");
  return [name === "Error" ? "" : name, text].filter((part) => part !== "").join(": ") || "Error";
}
