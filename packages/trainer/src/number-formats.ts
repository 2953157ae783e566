/** The numbers that safetensors files hold, as float32. */

/** How one kind of number is read. */
interface NumberFormat {
  /** Bytes of one number. */
  readonly bytes: number;
  /** The numbers in these bytes, which are little-endian, in float32: exact, or the nearest. */
  readonly read: (bytes: Uint8Array) => Float32Array;
}

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The bytes of each number of `size` bytes in the other order, in place. */
function swap(bytes: Uint8Array, size: number): Uint8Array {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  return bytes;
}

/** A copy at an address that typed arrays can view, in the order of this machine. `slice` would do for a Uint8Array;
 *  that of a Buffer is a view. */
function hostBytes(bytes: Uint8Array, size: number): ArrayBuffer {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  if (!hostIsLittleEndian) swap(copy, size);
  return copy.buffer;
}

/** The bytes of float32 numbers as the file has them. */
export function littleEndianBytes(data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return hostIsLittleEndian ? bytes : swap(bytes.slice(), 4);
}

interface Numbers<N> extends ArrayLike<N> {
  readonly buffer: ArrayBufferLike;
}

/** Numbers that JavaScript has an array for. */
const typed = <N extends number | bigint>(
  bytes: number,
  ArrayOf: new (buffer: ArrayBuffer) => Numbers<N>,
): NumberFormat => ({
  bytes,
  read: (source) => Float32Array.from(new ArrayOf(hostBytes(source, bytes)), Number),
});

/** A table of what each code of one byte means. */
const byCode = (value: (code: number) => number): NumberFormat => {
  let table: Float32Array | undefined;
  return {
    bytes: 1,
    read: (source) => {
      const of = (table ??= Float32Array.from({ length: 256 }, (_, code) => value(code)));
      return Float32Array.from(source, (code) => of[code]!);
    },
  };
};

/** (-1)^sign 2^(exponent - bias) 1.mantissa; without the leading 1 and at exponent 1 where the exponent is 0. */
function floatOf(code: number, exponentBits: number, mantissaBits: number, bias: number): number {
  const mantissa = code & (2 ** mantissaBits - 1);
  const exponent = (code >> mantissaBits) & (2 ** exponentBits - 1);
  const sign = code >> (exponentBits + mantissaBits) === 0 ? 1 : -1;
  const leading = exponent === 0 ? 0 : 2 ** mantissaBits;
  return sign * (leading + mantissa) * 2 ** (Math.max(exponent, 1) - bias - mantissaBits);
}

/** As IEEE 754 has it: the highest exponent is infinity, or NaN with a mantissa. */
function ieee(code: number, exponentBits: number, mantissaBits: number): number {
  const highest = 2 ** exponentBits - 1;
  const value = floatOf(code, exponentBits, mantissaBits, 2 ** (exponentBits - 1) - 1);
  if (((code >> mantissaBits) & highest) < highest) return value;
  if ((code & (2 ** mantissaBits - 1)) !== 0) return Number.NaN;
  return value < 0 ? -Infinity : Infinity;
}

/** float16: every number of it is one of float32. */
const float16: NumberFormat = {
  bytes: 2,
  read: (source) =>
    Float32Array.from(new Uint16Array(hostBytes(source, 2)), (code) => ieee(code, 5, 10)),
};

/** bfloat16: the upper half of a float32. */
const bfloat16: NumberFormat = {
  bytes: 2,
  read: (source) =>
    new Float32Array(
      Uint32Array.from(new Uint16Array(hostBytes(source, 2)), (code) => code << 16).buffer,
    ),
};

const float32: NumberFormat = {
  bytes: 4,
  read: (source) => new Float32Array(hostBytes(source, 4)),
};

/** By the names of the safetensors format. */
export const numberFormats: Readonly<Record<string, NumberFormat>> = {
  BOOL: byCode((code) => (code === 0 ? 0 : 1)),
  U8: typed(1, Uint8Array),
  I8: typed(1, Int8Array),
  U16: typed(2, Uint16Array),
  I16: typed(2, Int16Array),
  U32: typed(4, Uint32Array),
  I32: typed(4, Int32Array),
  U64: typed(8, BigUint64Array),
  I64: typed(8, BigInt64Array),
  F16: float16,
  BF16: bfloat16,
  F32: float32,
  F64: typed(8, Float64Array),
  F8_E5M2: byCode((code) => ieee(code, 5, 2)),
  // Without infinity; only all ones is NaN.
  F8_E4M3: byCode((code) => ((code & 0x7f) === 0x7f ? Number.NaN : floatOf(code, 4, 3, 7))),
  // Powers of two alone.
  F8_E8M0: byCode((code) => (code === 0xff ? Number.NaN : 2 ** (code - 127))),
  // One zero, whose negative is NaN.
  F8_E4M3FNUZ: byCode((code) => (code === 0x80 ? Number.NaN : floatOf(code, 4, 3, 8))),
  F8_E5M2FNUZ: byCode((code) => (code === 0x80 ? Number.NaN : floatOf(code, 5, 2, 16))),
};
