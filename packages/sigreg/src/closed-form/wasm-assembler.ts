/** A small assembler for WebAssembly SIMD: instructions are functions that nest as expressions do, and return bytes.
 *
 *  A kernel is written `acc.set(add(acc, mul(x, load(row, 16))))`, and `assemble` lays functions of that form out as a
 *  module that imports its memory. It knows the instructions that our kernels use and no others: 32-bit integers for
 *  addresses and counts, and v128 as four float32, four int32 or two float64. No relaxed SIMD.
 *  Source: WebAssembly core specification 2.0, binary format. */

/** Bytes of one instruction, or of several that leave one value. */
export type Code = readonly number[];

/** A local variable; as an operand it is its value. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

type Operand = Code | Local;
type LocalType = keyof typeof typeCodes;

/** A function of the module: parameters are addresses, counts and single numbers; it returns nothing. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ("i32" | "f32")[];
  readonly locals: readonly LocalType[];
  readonly body: Code;
}

const typeCodes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

/** Declares the locals of one function, then builds it. */
export class FunctionBuilder {
  readonly #name: string;
  readonly #parameters: ("i32" | "f32")[] = [];
  readonly #locals: LocalType[] = [];

  /** @param name The name that the module exports. */
  constructor(name: string) {
    this.#name = name;
  }

  /** The next parameter; all of them come before the other locals. */
  parameter(type: "i32" | "f32"): Local {
    this.#parameters.push(type);
    return local(this.#parameters.length - 1);
  }

  /** A local variable that starts at zero. */
  local(type: LocalType): Local {
    this.#locals.push(type);
    return local(this.#parameters.length + this.#locals.length - 1);
  }

  /** Several vectors. */
  vectors(count: number): Local[] {
    return Array.from({ length: count }, () => this.local("v128"));
  }

  /** The function. */
  build(...body: Code[]): WasmFunction {
    return {
      name: this.#name,
      parameters: this.#parameters,
      locals: this.#locals,
      body: body.flat(),
    };
  }
}

function local(index: number): Local {
  return {
    get: [0x20, ...unsigned(index)],
    set: (value) => [...value, 0x21, ...unsigned(index)],
  };
}

const code = (operand: Operand): Code => ("get" in operand ? operand.get : operand);
const binary =
  (...opcode: number[]) =>
  (a: Operand, b: Operand): Code => [...code(a), ...code(b), ...opcode];
const unary =
  (...opcode: number[]) =>
  (a: Operand): Code => [...code(a), ...opcode];
/** SIMD instructions are a prefix and a number. */
const simd = (number: number): number[] => [0xfd, ...unsigned(number)];

/** Integers, for addresses and counts. */
export const i32 = {
  add: (a: Operand, b: number | Operand): Code =>
    binary(0x6a)(a, typeof b === "number" ? i32.constant(b) : b),
  subtract: binary(0x6b),
  constant: (value: number): Code => [0x41, ...signed(value)],
};

/** Four float32. */
export const f32x4 = {
  splat: unary(...simd(0x13)),
  negate: unary(...simd(0xe1)),
  add: binary(...simd(0xe4)),
  subtract: binary(...simd(0xe5)),
  multiply: binary(...simd(0xe6)),
  /** The nearest whole number. */
  nearest: unary(...simd(0x6a)),
  /** `b < a ? b : a`: a NaN in the first operand stays. */
  least: binary(...simd(0xea)),
  /** `a < b ? b : a`: a NaN in the first operand stays. */
  greatest: binary(...simd(0xeb)),
};

/** Four int32, and bits. */
export const i32x4 = {
  /** Towards zero; beyond the range its ends, NaN gives 0. */
  fromFloats: unary(...simd(0xf8)),
  shiftLeft: (a: Operand, bits: number): Code => [...code(a), ...i32.constant(bits), ...simd(0xab)],
  shiftRight: (a: Operand, bits: number): Code => [
    ...code(a),
    ...i32.constant(bits),
    ...simd(0xac),
  ],
  and: binary(...simd(0x4e)),
  xor: binary(...simd(0x51)),
  /** Bits of `a` where `mask` is set, of `b` elsewhere. */
  select: (a: Operand, b: Operand, mask: Operand): Code => [
    ...code(a),
    ...code(b),
    ...code(mask),
    ...simd(0x52),
  ],
};

/** Two float64. */
export const f64x2 = {
  add: binary(...simd(0xf0)),
  /** Of the first two float32. */
  fromLow: unary(...simd(0x5f)),
};

/** The last two float32 moved to the front. */
export const highHalf = (a: Local): Code => [
  ...a.get,
  ...a.get,
  ...simd(0x0d),
  ...Array.from({ length: 16 }, (_, byte) => (byte + 8) % 16),
];

/** Four float32 at an address and a constant distance, in bytes. */
export const load = (address: Operand, offset = 0): Code => [
  ...code(address),
  ...simd(0x00),
  ...memoryArgument(offset),
];

/** One float32, four times. */
export const loadSplat = (address: Operand, offset = 0): Code => [
  ...code(address),
  ...simd(0x09),
  ...memoryArgument(offset),
];

/** Writes four float32. */
export const store = (address: Operand, offset: number, value: Operand): Code => [
  ...code(address),
  ...code(value),
  ...simd(0x0b),
  ...memoryArgument(offset),
];

/** Runs the body `count` times, at least once; leaves the count at 0. */
export const repeat = (count: Local, ...body: Code[]): Code => [
  ...[0x03, 0x40], // loop
  ...body.flat(),
  ...count.set(i32.add(count, -1)),
  ...count.get,
  ...[0x0d, 0x00], // again unless 0
  0x0b,
];

/** A module of these functions; it imports `host.memory`. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    0x60,
    ...list(parameters.map((type) => [typeCodes[type]])),
    0,
  ]);
  const bodies = functions.map(({ locals, body }) => {
    const content = [...list(locals.map((type) => [1, typeCodes[type]])), ...body, 0x0b];
    return [...unsigned(content.length), ...content];
  });
  const memory = [...text("host"), ...text("memory"), 0x02, 0x00, 0x00];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic number, version 1
    ...section(1, list(types)),
    ...section(2, list([memory])),
    ...section(3, list(functions.map((_, i) => unsigned(i)))),
    ...section(7, list(functions.map(({ name }, i) => [...text(name), 0x00, ...unsigned(i)]))),
    ...section(10, list(bodies)),
  ]);
}

const list = (entries: readonly Code[]): number[] => [
  ...unsigned(entries.length),
  ...entries.flat(),
];
const section = (id: number, content: Code): number[] => [
  id,
  ...unsigned(content.length),
  ...content,
];
const text = (ascii: string): number[] => list([...ascii].map((c) => [c.charCodeAt(0)]));
/** Alignment 2^2: addresses are multiples of four bytes. */
const memoryArgument = (offset: number): number[] => [2, ...unsigned(offset)];

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

/** Signed LEB128: the last byte's second bit is the sign. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (; value < -64 || value > 63; value >>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value & 0x7f];
}
