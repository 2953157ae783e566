/** As much of jasmine as tfjs-core's test files use: it collects their cases, to be run one by one. */
import { isDeepStrictEqual, inspect } from "node:util";

type Body = (done?: Done) => unknown;
type Done = (() => void) & { fail: (reason?: unknown) => void };
type Hook = "beforeAll" | "beforeEach" | "afterEach" | "afterAll";

interface Suite {
  readonly name: string;
  readonly parent: Suite | undefined;
  readonly hooks: Record<Hook, Body[]>;
}

/** One `it`. */
export interface JasmineCase {
  /** The test file below tfjs-core's `dist`, without extension. */
  readonly file: string;
  /** The names of the suites around it and its own, as jasmine joins them. */
  readonly name: string;
  /** Rejects with what is wrong. Hooks for a whole suite run for each of its cases, so that none needs another. */
  run(): Promise<void>;
}

export type Jasmine = ReturnType<typeof collectingJasmine>;

/** Jasmine's global functions, which add to `cases` what they are told while `file()` says where it is. */
export function collectingJasmine(cases: JasmineCase[], file: () => string) {
  let suite: Suite | undefined;
  const define = (name: string, body: () => void): void => {
    const outer = suite;
    suite = {
      name,
      parent: outer,
      hooks: { beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] },
    };
    body();
    suite = outer;
  };
  const hook = (when: Hook) => (body: Body) => suite?.hooks[when].push(body);
  const it = (name: string, body: Body): void => {
    const chain = chainOf(suite);
    const fullName = [...chain.map((each) => each.name), name].join(" ");
    cases.push({ file: file(), name: fullName, run: () => runCase(chain, body) });
  };
  return {
    describe: define,
    it,
    beforeAll: hook("beforeAll"),
    beforeEach: hook("beforeEach"),
    afterEach: hook("afterEach"),
    afterAll: hook("afterAll"),
    expect,
    expectAsync,
    spyOn,
    jasmine: { DEFAULT_TIMEOUT_INTERVAL: 0 },
  };
}

/** From the outermost. */
const chainOf = (suite: Suite | undefined): Suite[] =>
  suite ? [...chainOf(suite.parent), suite] : [];

const spies: (() => void)[] = [];

async function runCase(chain: readonly Suite[], body: Body): Promise<void> {
  const inwards = (when: Hook) => chain.flatMap(({ hooks }) => hooks[when]);
  const outwards = (when: Hook) => [...chain].reverse().flatMap(({ hooks }) => hooks[when]);
  try {
    for (const each of [...inwards("beforeAll"), ...inwards("beforeEach")]) await call(each);
    await call(body);
  } finally {
    for (const restore of spies.splice(0)) restore();
    for (const each of [...outwards("afterEach"), ...outwards("afterAll")]) await call(each);
  }
}

async function call(body: Body): Promise<void> {
  if (body.length === 0) {
    await body();
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const fail = (reason?: unknown) =>
      reject(reason instanceof Error ? reason : new Error(`done.fail(${String(reason)})`));
    body(Object.assign(() => resolve(), { fail }));
  });
}

class Expectation {
  constructor(
    private readonly actual: unknown,
    private readonly wanted = true,
  ) {}

  get not(): Expectation {
    return new Expectation(this.actual, !this.wanted);
  }

  #check(holds: boolean, relation: string, other?: unknown): void {
    if (holds !== this.wanted)
      throw new Error(
        `expected ${shown(this.actual)} ${this.wanted ? "" : "not "}${relation} ${shown(other)}`,
      );
  }

  nothing(): void {}
  toBe(other: unknown): void {
    this.#check(Object.is(this.actual, other) || this.actual === other, "to be", other);
  }
  toEqual(other: unknown): void {
    this.#check(isDeepStrictEqual(this.actual, other), "to equal", other);
  }
  toMatch(pattern: RegExp): void {
    this.#check(pattern.test(String(this.actual)), "to match", pattern);
  }
  toBeCloseTo(other: number, digits = 2): void {
    const near = Math.abs((this.actual as number) - other) < 0.5 * 10 ** -digits;
    this.#check(near, "to be close to", other);
  }
  toBeNull(): void {
    this.#check(this.actual === null, "to be null");
  }
  toBeTruthy(): void {
    this.#check(Boolean(this.actual), "to be truthy");
  }
  toBeFalsy(): void {
    this.#check(!this.actual, "to be falsy");
  }
  toBeGreaterThan(other: number): void {
    this.#check((this.actual as number) > other, "to be greater than", other);
  }
  toBeGreaterThanOrEqual(other: number): void {
    this.#check((this.actual as number) >= other, "to be at least", other);
  }
  toBeLessThan(other: number): void {
    this.#check((this.actual as number) < other, "to be less than", other);
  }
  toBeLessThanOrEqual(other: number): void {
    this.#check((this.actual as number) <= other, "to be at most", other);
  }
  toThrow(): void {
    this.#check(thrownBy(this.actual as () => unknown) !== undefined, "to throw");
  }
  /** A message or a pattern for one; what is thrown should be an Error. */
  toThrowError(message?: string | RegExp): void {
    this.#check(isError(thrownBy(this.actual as () => unknown), message), "to throw", message);
  }
}

function thrownBy(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A refusal of the engine names kernel and place; what tfjs said is its cause. */
function isError(error: unknown, message: string | RegExp | undefined): boolean {
  if (!(error instanceof Error)) return false;
  if (message === undefined) return true;
  const said =
    typeof message === "string" ? error.message === message : message.test(error.message);
  return said || isError(error.cause, message);
}

const shown = (value: unknown): string =>
  value === undefined ? "" : inspect(value, { depth: 2, maxArrayLength: 8, breakLength: Infinity });

const expect = (actual?: unknown): Expectation => new Expectation(actual);

const expectAsync = (promise: Promise<unknown>) => ({
  async toBeRejectedWithError(message?: string | RegExp): Promise<void> {
    const reason: unknown = await promise.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!isError(reason, message))
      throw new Error(`expected a rejection with ${shown(message)}, got ${shown(reason)}`);
  },
});

/** Replaces a method until the case ends. */
function spyOn(owner: Record<string, unknown>, method: string) {
  const own = Object.getOwnPropertyDescriptor(owner, method);
  const spy = () => undefined;
  owner[method] = spy;
  spies.push(() => {
    if (own) Object.defineProperty(owner, method, own);
    else delete owner[method];
  });
  return spy;
}
