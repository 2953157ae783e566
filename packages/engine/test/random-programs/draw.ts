/** What a row of the table of operations draws from: numbers, attributes, and the values that the program has so far. */
import type seedrandom from "seedrandom";
import { sizeOf, type Dtype, type ProgramInput, type ValueType } from "./program.js";

/** A value of the program while it grows, with what its elements are like. */
export interface DrawnValue extends ValueType {
  readonly least: number;
  readonly most: number;
  /** Whether an element is NaN or infinite. */
  readonly hasSpecials: boolean;
}

/** A call that a row drew: values are named in the expression. */
export interface Call {
  readonly expression: string;
  readonly operands: readonly DrawnValue[];
  readonly gives: "one" | "list" | "record";
}

/** A piece of an expression that is neither a value nor data. */
export class Code {
  constructor(readonly text: string) {}
}

/** Writes a call: values by name, calls and code as they are, everything else as JSON. */
function written(
  gives: Call["gives"],
  strings: readonly string[],
  parts: readonly unknown[],
): Call {
  const operands: DrawnValue[] = [];
  const show = (part: unknown): string => {
    if (isValue(part)) {
      operands.push(part);
      return part.name;
    }
    if (Array.isArray(part)) return `[${part.map(show).join(", ")}]`;
    if (part instanceof Code) return part.text;
    if (isCall(part)) {
      operands.push(...part.operands);
      return part.expression;
    }
    if (part === undefined) return "undefined";
    return JSON.stringify(part);
  };
  const expression = strings
    .map((text, i) => (i < parts.length ? text + show(parts[i]) : text))
    .join("");
  return { expression, operands, gives };
}

const isValue = (part: unknown): part is DrawnValue =>
  typeof part === "object" && part !== null && "name" in part && "dtype" in part;

const isCall = (part: unknown): part is Call =>
  typeof part === "object" && part !== null && "expression" in part;

/** A call that returns one tensor: call`tf.add(${a}, ${b})`. */
export const call = (strings: TemplateStringsArray, ...parts: readonly unknown[]): Call =>
  written("one", strings, parts);
/** A call that returns a list of tensors. */
export const listCall = (strings: TemplateStringsArray, ...parts: readonly unknown[]): Call =>
  written("list", strings, parts);
/** A call that returns an object of tensors. */
export const recordCall = (strings: TemplateStringsArray, ...parts: readonly unknown[]): Call =>
  written("record", strings, parts);

/** What the elements of an input are drawn from. */
export interface Range {
  readonly low?: number;
  readonly high?: number;
  /** "coarse": multiples of 1/2, exact in sums and often equal; "fine": all float32. Drawn when left out. */
  readonly grain?: "coarse" | "fine";
}

/** Thrown by a row that finds no operands; another row is drawn. */
export class NothingToDraw extends Error {}

/** No tensor is larger. */
export const largest = 4096;

export class Draw {
  /** Inputs that the row has asked for, in order. */
  readonly added: ProgramInput[] = [];

  constructor(
    private readonly random: seedrandom.PRNG,
    private readonly values: readonly DrawnValue[],
    private readonly newName: (role: ProgramInput["role"]) => string,
    private readonly runs: number,
  ) {}

  /** One of the choices. */
  one<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new NothingToDraw();
    return choices[Math.floor(this.random() * choices.length)]!;
  }

  /** A whole number, both ends included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A number of a few digits. */
  number(low: number, high: number): number {
    return Math.round((low + this.random() * (high - low)) * 100) / 100;
  }

  /** The length of an axis: often 1, rarely long. */
  length(): number {
    return this.chance(0.2) ? 1 : this.chance(0.1) ? this.whole(8, 20) : this.whole(2, 5);
  }

  /** A number of channels, blocks of 4, 8 and 16 and what does not fill them alike. */
  channels(): number {
    return this.whole(1, 20);
  }

  shape(rank = this.whole(0, 6)): number[] {
    for (;;) {
      const shape = Array.from({ length: rank }, () => this.length());
      if (sizeOf(shape) <= largest / 4) return shape;
    }
  }

  /** An axis of a value, counted from either end. */
  axis({ shape }: Pick<ValueType, "shape">): number {
    if (shape.length === 0) throw new NothingToDraw();
    const axis = this.whole(0, shape.length - 1);
    return this.chance(0.3) ? axis - shape.length : axis;
  }

  /** Some of the axes, or undefined for all. */
  axes({ shape }: ValueType): number | number[] | undefined {
    if (shape.length === 0 || this.chance(0.2)) return undefined;
    const chosen = shape.map((_, axis) => axis).filter(() => this.chance(0.5));
    if (chosen.length === 0 || this.chance(0.2)) return this.axis({ shape });
    return chosen;
  }

  /** A new input of the program. */
  input(
    shape: readonly number[],
    { low = -2, high = 2, grain = this.one(["coarse", "fine", "fine"] as const) }: Range = {},
    dtype: "float32" | "int32" = "float32",
  ): DrawnValue {
    if (shape.some((length) => length < 1) || sizeOf(shape) > largest) throw new NothingToDraw();
    const role = dtype === "float32" && this.chance(0.7) ? "parameter" : "input";
    const element = (): number => {
      const value = low + this.random() * (high - low);
      if (dtype === "int32")
        return Math.min(high, Math.floor(low + this.random() * (high - low + 1)));
      return grain === "coarse" ? Math.min(high, Math.max(low, Math.round(value * 2) / 2)) : value;
    };
    const data = Array.from({ length: role === "parameter" ? 1 : this.runs }, () =>
      (dtype === "int32" ? Int32Array : Float32Array).from(
        Array.from({ length: sizeOf(shape) }, element),
      ),
    );
    const name = this.newName(role);
    this.added.push({ name, shape: [...shape], dtype, role, data });
    return { name, shape: [...shape], dtype, least: low, most: high, hasSpecials: false };
  }

  /** A value that there is, the latest ones rather; undefined if none fits. */
  existing(fits: (value: DrawnValue) => boolean): DrawnValue | undefined {
    const fitting = this.values.filter(fits);
    if (fitting.length === 0) return undefined;
    const back = Math.floor(this.random() * this.random() * fitting.length);
    return fitting[fitting.length - 1 - back];
  }

  /** A value that fits, or else a new input of the shape given, which is asked for now and then even so. */
  value(
    fits: (value: DrawnValue) => boolean,
    shape: () => readonly number[],
    dtype: "float32" | "int32" = "float32",
    range?: Range,
  ): DrawnValue {
    const found = this.chance(0.15)
      ? undefined
      : this.existing((value) => value.dtype === dtype && fits(value));
    return found ?? this.input(shape(), range, dtype);
  }

  /** A float32 value of any shape, or one of a rank. */
  float(rank?: number): DrawnValue {
    return this.value(
      ({ shape }) => rank === undefined || shape.length === rank,
      () => this.shape(rank),
    );
  }

  /** An int32 value. */
  int(rank?: number, low = -3, high = 5): DrawnValue {
    return this.value(
      ({ shape }) => rank === undefined || shape.length === rank,
      () => this.shape(rank),
      "int32",
      { low, high },
    );
  }

  /** A value of one of the types; of bool only if there is one. */
  any(dtypes: readonly Dtype[] = ["float32", "float32", "float32", "int32", "bool"]): DrawnValue {
    const dtype = this.one(dtypes);
    if (dtype === "float32") return this.float();
    if (dtype === "int32") return this.int();
    return this.bool();
  }

  bool(): DrawnValue {
    const found = this.existing(({ dtype }) => dtype === "bool");
    if (found === undefined) throw new NothingToDraw();
    return found;
  }

  /** A value that broadcasts against `other`: an existing one, or a new one of some of its axes. */
  against(other: DrawnValue, dtype: "float32" | "int32" = "float32", range?: Range): DrawnValue {
    const broadcasts = (value: DrawnValue): boolean => {
      const whole = broadcast(value.shape, other.shape);
      return whole !== undefined && sizeOf(whole) <= largest;
    };
    return this.value(
      broadcasts,
      () => {
        const from = this.chance(0.3) ? this.whole(0, other.shape.length) : 0;
        return other.shape
          .slice(from)
          .map((length) => (this.chance(0.25) ? 1 : Math.max(1, length)));
      },
      dtype,
      range,
    );
  }

  /** Batches of images, channels last. */
  images(channels?: number, least = 1): DrawnValue {
    return this.value(
      ({ shape }) =>
        shape.length === 4 &&
        shape[1]! >= least &&
        shape[2]! >= least &&
        (channels === undefined || shape[3] === channels),
      () => {
        const batch = this.chance(0.4) ? 1 : this.whole(2, 4);
        const side = () =>
          this.chance(0.15) ? Math.max(least, 1) : this.whole(Math.max(least, 2), 9);
        let shape = [batch, side(), side(), channels ?? this.channels()];
        while (sizeOf(shape) > largest) shape = [1, side(), side(), channels ?? this.channels()];
        return shape;
      },
    );
  }
}

/** The shape of a and b broadcast; undefined where they do not match. */
function broadcast(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const at = (shape: readonly number[], i: number): number => shape[shape.length - rank + i] ?? 1;
  const result: number[] = [];
  for (let i = 0; i < rank; i++) {
    const [m, n] = [at(a, i), at(b, i)];
    if (m !== n && m !== 1 && n !== 1) return undefined;
    result.push(m === 1 ? n : m);
  }
  return result;
}
