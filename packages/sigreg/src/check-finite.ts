import type { TensorAdapter } from "@lejepa/tensor";
import { LejepaError } from "@lejepa/tensor/error";
import { checkChoice, refuse, show } from "./refuse.js";

/** What `check: "finite"` looks at: the inputs by their names, then the terms computed from them. */
export type CheckedTerm =
  "embeddings" | "projections" | "directions" | "prediction" | "sigreg" | "loss";

/** The error of `check: "finite"`: which tensor holds NaN or an infinity, and where. Recognise it by its `code`. */
export interface NotFiniteError extends LejepaError<"not-finite"> {
  /** The first of the inputs and terms, in the order of `CheckedTerm`, that is not finite. */
  readonly term: CheckedTerm;
  /** Where its first such entry is. `projections`, and `prediction` before its mean: [v, n, d]; `directions`: [d, m];
   *  `embeddings`: [..., n, d]; `sigreg`, the statistics before they are reduced: [..., m]; [] for a scalar. */
  readonly index: readonly number[];
  /** NaN, Infinity or -Infinity. */
  readonly value: number;
}

/** Looks for NaN and infinities.
 *  @param where The public function, for the message.
 *  @throws `NotFiniteError`; `unsupported` when the adapter cannot read at once. */
export function checkFinite<T>(k: TensorAdapter<T>, where: string, term: CheckedTerm, x: T): void {
  if (!k.capabilities.includes("readSync"))
    refuse(
      "unsupported",
      `${where}: check "finite" looks at values at once, and the ${k.name} adapter has no readSync. ` +
        `Leave check out, and look at the result of adapter.read instead.`,
    );
  const data = k.readSync(x);
  const position = data.findIndex((value) => !Number.isFinite(value));
  if (position < 0) return;
  const shape = k.shape(x);
  const index = indexAt(position, shape);
  const value = data[position] as number;
  const error: NotFiniteError = Object.assign(
    new LejepaError(
      "not-finite",
      `${where}: ${term} ${place(index, shape, value)}. ${advice[term]}`,
    ),
    { term, index, value },
  );
  throw error;
}

/** Reads the option `check`. */
export function checksFinite(where: string, check: "finite" | "none" = "none"): boolean {
  checkChoice(where, "check", check, ["finite", "none"]);
  return check === "finite";
}

const fromInput = "Look at the layers and the batch that it comes from.";
const advice: Readonly<Record<CheckedTerm, string>> = {
  embeddings: fromInput,
  projections: fromInput,
  directions: "Draw them with directions(dim, slices, seed, step).",
  prediction: "The projections are finite but their squared distances are not: make them smaller.",
  sigreg: "The inputs are finite but this statistic is not: make the projections smaller.",
  loss: "Both terms are finite but their weighted sum is not: make lambda smaller.",
};

function place(index: readonly number[], shape: readonly number[], value: number): string {
  return index.length === 0 ? `is ${value}` : `is ${value} at ${show(index)} of ${show(shape)}`;
}

/** The index of an entry from its row-major position. */
function indexAt(position: number, shape: readonly number[]): number[] {
  let rest = position;
  return shape
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .reverse();
}
