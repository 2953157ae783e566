import type { Encoder, ParameterSpec, Projector } from "@lejepa/encoders";
import { LejepaError, wholeNumber } from "@lejepa/ops";

/** Checks what stands for the encoder of a run, whose images have 1 or 3 channels. Throws LejepaError "invalid-option". */
export function checkRunEncoder(value: unknown): asserts value is Encoder {
  const what = "encoder: an encoder passed in code";
  checkEncoder(value, what);
  if (value.channels !== 1 && value.channels !== 3)
    throw lacking(what, "channels, 1 or 3", "Encoder");
}

/** Checks what stands for an encoder, for callers whose compiler did not. Throws LejepaError "invalid-option".
 *  @param what how it is called in messages */
export function checkEncoder(value: unknown, what: string): asserts value is Encoder {
  const encoder = partsOf<Encoder>(value);
  const lacks =
    typeof encoder.name !== "string" || encoder.name === ""
      ? "name, a text"
      : !isCount(encoder.imageSize)
        ? "imageSize, a whole number of pixels"
        : !isCount(encoder.channels)
          ? "channels, a whole number"
          : !isCount(encoder.dim)
            ? "dim, the width of its embedding"
            : typeof encoder.accepts !== "function"
              ? "the function accepts(height, width)"
              : lackingIn(encoder, "images");
  if (lacks !== undefined) throw lacking(what, lacks, "Encoder");
}

/** Checks what stands for a projector. Throws LejepaError "invalid-option".
 *  @param what how it is called in messages */
export function checkProjector(value: unknown, what: string): asserts value is Projector {
  const projector = partsOf<Projector>(value);
  const lacks = !isCount(projector.inputDim)
    ? "inputDim, the width of the embeddings"
    : !isCount(projector.outputDim)
      ? "outputDim, the width of its projections"
      : lackingIn(projector, "embeddings");
  if (lacks !== undefined) throw lacking(what, lacks, "Projector");
}

type Parts<T> = { readonly [Key in keyof T]?: unknown };

const partsOf = <T>(value: unknown): Parts<T> =>
  typeof value === "object" && value !== null ? value : {};

/** What lacks of the parts that an encoder and a projector both have. */
function lackingIn(
  { parameters, init, apply }: Parts<Pick<Encoder, "parameters" | "init" | "apply">>,
  input: string,
): string | undefined {
  if (!Array.isArray(parameters) || !Array.from<unknown>(parameters).every(isParameter))
    return "parameters, a list of { name, shape, layout, decay, buffer }";
  return typeof init === "function" && typeof apply === "function"
    ? undefined
    : `the functions init(seed) and apply(parameters, ${input}, options)`;
}

const layouts: Readonly<Record<ParameterSpec["layout"], true>> = {
  linear: true,
  conv: true,
  "as-is": true,
};

/** Whether a parameter says all that is read of it: one without `decay` would quietly not be decayed. */
function isParameter(value: unknown): boolean {
  const { name, shape, layout, decay, buffer } = partsOf<ParameterSpec>(value);
  return (
    typeof name === "string" &&
    Array.isArray(shape) &&
    Array.from<unknown>(shape).every(isCount) &&
    typeof layout === "string" &&
    Object.hasOwn(layouts, layout) &&
    typeof decay === "boolean" &&
    typeof buffer === "boolean"
  );
}

const isCount = wholeNumber(1).accepts;

const lacking = (what: string, lacks: string, type: string): LejepaError =>
  new LejepaError(
    "invalid-option",
    `${what} should have ${lacks}; see ${type} of @lejepa/encoders.`,
  );
