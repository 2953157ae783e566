/** Whether an engine did with a program what eager did, up to rounding, or refused it as it should. */
import { loweringTable } from "../../src/kernels/table.js";
import { fileOf } from "./run-source.js";
import type { Program } from "./program.js";

/** Arrays by name, of one run or of the state behind the last. */
type Numbers = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
>;

/** What became of a program on an engine. */
export type Outcome =
  | { readonly numbers: readonly Numbers[] }
  | { readonly error: { readonly name: string; readonly code: unknown; readonly message: string } };

/** What is said of it. */
export type Verdict =
  | { readonly kind: "agrees"; readonly compared: number; readonly undecided: number }
  | { readonly kind: "refused"; readonly message: string }
  | {
      readonly kind:
        | "wrong number"
        | "wrong shape"
        | "raw error"
        | "poor refusal"
        | "not refused"
        | "process death"
        | "no answer";
      readonly message: string;
    };

export const isFailure = ({ kind }: Verdict): boolean => kind !== "agrees" && kind !== "refused";

/** Agreement asked for, relative to the number. */
const tolerance = 1e-4;
/** How many times the largest movement by noise is put down to rounding. */
const noiseFactor = 4;

/** @param noisy what eager gives with its rounding made random, several times */
export function judge(
  program: Program,
  eager: Outcome,
  noisy: readonly Outcome[],
  got: Outcome,
): Verdict {
  if ("error" in got) {
    const { name, message } = got.error;
    if ("error" in eager && eager.error.message === message) return { kind: "refused", message };
    if (name !== "LejepaError") return { kind: "raw error", message };
    const missing = whatIsMissing(program, message);
    return missing.length === 0
      ? { kind: "refused", message }
      : { kind: "poor refusal", message: `does not name ${missing.join(" and ")}: ${message}` };
  }
  if ("error" in eager)
    return { kind: "not refused", message: `eager refuses: ${eager.error.message}` };
  let [compared, undecided] = [0, 0];
  for (const [run, wanted] of eager.numbers.entries())
    for (const [name, { shape, data }] of Object.entries(wanted)) {
      const other = got.numbers[run]?.[name];
      const where = `${name} of run ${run + 1}`;
      if (
        other === undefined ||
        String(other.shape) !== String(shape) ||
        other.data.length !== data.length
      )
        return {
          kind: "wrong shape",
          message: `${where} should have shape [${shape.join(", ")}], got [${other?.shape.join(", ")}]`,
        };
      const copies = noisy.map((outcome) =>
        "numbers" in outcome ? outcome.numbers[run]?.[name]?.data : undefined,
      );
      for (let i = 0; i < data.length; i++) {
        compared++;
        const want = data[i]!;
        const spread = spreadOf(
          want,
          copies.map((copy) => copy?.[i]),
        );
        if (spread === undefined || spread * noiseFactor > 0.01 * Math.abs(want)) undecided++;
        if (spread !== undefined && !agree(want, other.data[i]!, spread))
          return {
            kind: "wrong number",
            message: `${where}, element ${i} of [${shape.join(", ")}], should be ${want}, got ${other.data[i]!}; rounding moves it by ${spread.toPrecision(2)}`,
          };
      }
    }
  return { kind: "agrees", compared, undecided };
}

/** How far noise moves a number; undefined if it makes it NaN or infinite, or finite what was not. */
function spreadOf(want: number, copies: readonly (number | undefined)[]): number | undefined {
  let spread = 0;
  for (const copy of copies) {
    if (copy === undefined) return undefined;
    if (Object.is(want, copy) || want === copy) continue;
    if (!Number.isFinite(want) || !Number.isFinite(copy)) return undefined;
    spread = Math.max(spread, Math.abs(want - copy));
  }
  return spread;
}

function agree(want: number, got: number, spread: number): boolean {
  if (Object.is(want, got) || want === got) return true;
  if (!Number.isFinite(want) || !Number.isFinite(got)) return false;
  // Denormals may be flushed to zero.
  return Math.abs(want - got) <= tolerance * Math.abs(want) + noiseFactor * spread + 2 ** -125;
}

/** What a refusal lacks of the kernel, the line and the way out. */
export function whatIsMissing(program: Pick<Program, "seed">, message: string): string[] {
  const missing: string[] = [];
  const words: readonly string[] = message.match(/[\w.]+/g) ?? [];
  const named = words.some(
    (word) => word in loweringTable || /^Lejepa[A-Z]/.test(word) || /^(tf|ops)\.\w+/.test(word),
  );
  if (!named) missing.push("the kernel");
  const place = new RegExp(`${fileOf(program).replace(".", "\\.")}:\\d+(:\\d+)?`);
  if (!place.test(message)) missing.push("the line");
  const behind = message.slice(message.search(place)).replace(place, "");
  if (!wayOut.test(behind.replace(/[Pp]lease report this/, ""))) missing.push("the way out");
  return missing;
}

/** A verb in the imperative. */
const wayOut =
  /(^|[;:.,] |\b(or|and|instead|then) )(please )?(use|pass|call|run|write|do|make|move|give|compute|take|multiply|draw|set|reshape|cast|leave|choose|return|read|transform|pad|clip|split|add|keep|convert|wrap|slice|upgrade|replace|drop|try|put|build|pool|round|divide|sum|broadcast)\b/i;
