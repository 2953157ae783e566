import { sizeOf, type DType, type Literal, type Shape } from "./graph.js";

/** The elements of a literal as file formats hold them: row-major, little-endian, bool as one byte. */
export function bytesOf(literal: Literal, shape: Shape, dtype: DType): Uint8Array {
  const length = sizeOf(shape);
  const at = (i: number): number => ("uniform" in literal ? literal.uniform : literal.dense[i]!);
  const array = {
    float32: () => Float32Array.from({ length }, (_, i) => at(i)),
    float64: () => Float64Array.from({ length }, (_, i) => at(i)),
    int32: () => Int32Array.from({ length }, (_, i) => at(i)),
    int64: () => BigInt64Array.from({ length }, (_, i) => BigInt(at(i))),
    // The upper half of a float32.
    bfloat16: () =>
      Uint16Array.from(
        new Uint32Array(Float32Array.from({ length }, (_, i) => at(i)).buffer),
        (bits) => bits >>> 16,
      ),
    bool: () => Uint8Array.from({ length }, (_, i) => (at(i) ? 1 : 0)),
  }[dtype]();
  return new Uint8Array(array.buffer);
}
