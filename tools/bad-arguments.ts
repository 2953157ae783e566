/** Calls functions as JavaScript would that no compiler checks, and sees what they say.
 *
 *  A row is a call that works. Each of its arguments is left out and replaced by values of other kinds in turn, and each of
 *  its options likewise, besides one that does not exist. Whatever is not allowed has to be refused by a LejepaError of
 *  one line; a raw TypeError, or a value that is taken in silence, is a fault. */

/** Values of every kind. */
const strangers: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  null: null,
  NaN,
  Infinity,
  "-1": -1,
  "1.5": 1.5,
  "a text": "no such word",
  true: true,
  "a bigint": 10n,
  "a symbol": Symbol("stranger"),
  "an object": {},
  "an object without prototype": Object.create(null) as object,
  "an array": [],
  "an array with a hole": new Array(1),
  "an array of texts": ["a", "b"],
  "a Float64Array": new Float64Array(3),
  "a Uint8Array": new Uint8Array(3),
  "a function": () => undefined,
  "a date": new Date(0),
};

/** One function with a call that works. */
export interface ArgumentRow {
  /** Its name, and of which call. */
  readonly name: string;
  readonly call: (...args: never[]) => unknown;
  readonly args: readonly unknown[];
  /** For arguments by position, and for options by name, values that are right or make no difference:
   *  `{ 0: ["nothing"], clip: ["-1"] }`. "all" for one that takes anything. */
  readonly allowed?: Readonly<Record<string, readonly string[] | "all">>;
  /** Which argument is an object of options, each of which is tried. */
  readonly options?: number;
}

/** What came of one call. */
interface Outcome {
  readonly title: string;
  readonly fault: string | undefined;
}

/** Every bad call of a row that is taken, or refused in another way than by one sentence with a code. */
export async function faultsOf(row: ArgumentRow): Promise<string[]> {
  const { args, allowed = {}, options } = row;
  const outcomes: Outcome[] = [];
  const attempt = async (place: string, kind: string, changed: readonly unknown[]) => {
    const isAllowed = allowed[place] === "all" || allowed[place]?.includes(kind) === true;
    outcomes.push({
      title: `${row.name}, ${place}: ${kind}`,
      fault: await faultOf(row.call, changed, isAllowed),
    });
  };
  for (const [kind, stranger] of Object.entries(strangers)) {
    for (let at = 0; at < args.length; at++) {
      await attempt(String(at), kind, args.with(at, stranger));
    }
    if (options === undefined) continue;
    const given = args[options] as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(given)) {
      await attempt(name, kind, args.with(options, { ...given, [name]: stranger }));
    }
  }
  if (options !== undefined) {
    const given = args[options] as object;
    await attempt("an unknown option", "a misspelling", args.with(options, { ...given, lamda: 1 }));
  }
  return outcomes.flatMap(({ title, fault }) =>
    fault === undefined ? [] : [`${title}: ${fault}`],
  );
}

async function faultOf(
  call: ArgumentRow["call"],
  args: readonly unknown[],
  isAllowed: boolean,
): Promise<string | undefined> {
  try {
    await call(...(args as never[]));
  } catch (error) {
    const { name, code, message } = error as { name?: unknown; code?: unknown; message?: unknown };
    if (name !== "LejepaError" || typeof code !== "string") return `leaks ${String(error)}`;
    if (typeof message !== "string" || !/^\S.*\.$/.test(message))
      return `says ${JSON.stringify(message)}`;
    return undefined;
  }
  return isAllowed ? undefined : "is taken";
}

/** Checks that the call of the row works as it stands, so that its refusals mean something. */
export async function works(row: ArgumentRow): Promise<boolean> {
  await row.call(...(row.args as never[]));
  return true;
}

/** The functions that a package exports, without classes. */
export function functionsOf(entry: object): string[] {
  return Object.entries(entry)
    .filter(([, value]) => typeof value === "function" && !/^class\b/.test(String(value)))
    .map(([name]) => name)
    .sort();
}
