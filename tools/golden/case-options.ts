import type { StoredTensor } from "./golden-file.js";

/** Ends a case that asks for what is not built; it counts as failed. */
export function unsupported(what: string): never {
  throw new Error(`not supported: ${what}`);
}

/** The options of a case. Every option has to be read by somebody: one that nobody reads fails the case,
 *  because its meaning would be missing from the result. `null` counts as absent. */
export class CaseOptions {
  readonly #options: Readonly<Record<string, unknown>>;
  readonly #unread: Set<string>;

  constructor(options: Readonly<Record<string, unknown>>) {
    this.#options = options;
    this.#unread = new Set(Object.keys(options));
  }

  /** Whether the option is there. */
  has(name: string): boolean {
    const value = this.#options[name];
    if (value === null) this.#unread.delete(name);
    return value !== null && value !== undefined;
  }

  /** A number; what it is when it is left out. */
  number(name: string, otherwise?: number): number {
    if (otherwise !== undefined && !this.has(name)) return otherwise;
    const value = this.#read(name);
    if (typeof value !== "number") unsupported(`option ${name} = ${JSON.stringify(value)}`);
    return value;
  }

  /** True or false. */
  flag(name: string): boolean {
    const value = this.#read(name);
    if (typeof value !== "boolean") unsupported(`option ${name} = ${JSON.stringify(value)}`);
    return value;
  }

  /** A text. */
  text(name: string): string {
    const value = this.#read(name);
    if (typeof value !== "string") unsupported(`option ${name} = ${JSON.stringify(value)}`);
    return value;
  }

  /** One of a few words; which one it is when it is left out. */
  oneOf<Word extends string>(name: string, words: readonly Word[], otherwise?: Word): Word {
    if (otherwise !== undefined && !this.has(name)) return otherwise;
    const value = this.#read(name);
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) unsupported(`option ${name} = ${JSON.stringify(value)}`);
    return word;
  }

  /** The axes of an input, as in "V,N,D": one of those known ("...,N,D": after any others), and of the input's rank. May be
   *  left out. */
  layout(name: string, input: StoredTensor | undefined, known: readonly string[]): void {
    if (!this.has(name)) return;
    const layout = this.text(name);
    const isKnown = known.some((axes) =>
      axes.startsWith("...") ? `,${layout}`.endsWith(axes.slice(3)) : layout === axes,
    );
    if (!isKnown) unsupported(`option ${name} = "${layout}"`);
    const rank = input?.shape.length;
    if (rank !== layout.split(",").length)
      throw new Error(`${name} is ${layout} but the input has rank ${rank}`);
  }

  /** Options that describe the case for people and do not change it. */
  describes(...names: string[]): void {
    for (const name of names) this.#unread.delete(name);
  }

  /** Fails the case if an option was not read. */
  finish(what: string): void {
    for (const name of Object.keys(this.#options)) this.has(name);
    if (this.#unread.size > 0) unsupported(`option ${[...this.#unread].join(", ")} of ${what}`);
  }

  #read(name: string): unknown {
    this.#unread.delete(name);
    return this.#options[name];
  }
}
