/** NumPy's .npy format, version 1.0, byte for byte as numpy.save writes it:
 *    6 bytes    0x93 "NUMPY"
 *    2 bytes    1, 0
 *    2 bytes    length of what follows up to the data, unsigned, little-endian
 *    a Python dictionary: descr, fortran_order, shape; room for the first length to grow to 21 digits; spaces up to a
 *               multiple of 64 bytes from the start of the file, so that it can be mapped into memory; a line break
 *    the data   row-major, little-endian
 *  Source: numpy.lib.format. */

/** The bytes of an array's file. */
export function npyFile(data: Float32Array | Int32Array, shape: readonly number[]): Uint8Array {
  const descr = data instanceof Float32Array ? "<f4" : "<i4";
  const lengths = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${lengths}), }`;
  const growth = shape.length === 0 ? 0 : 21 - String(shape[0]).length;
  const before = 10;
  const end = Math.ceil((before + dictionary.length + growth + 1) / 64) * 64;
  const header = Buffer.alloc(end, " ");
  header.write("\x93NUMPY\x01\x00", "latin1");
  header.writeUInt16LE(end - before, 8);
  header.write(dictionary, before, "latin1");
  header.write("\n", end - 1);
  return Buffer.concat([header, littleEndian(data)]);
}

function littleEndian(data: Float32Array | Int32Array): Uint8Array {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? bytes : Buffer.from(bytes).swap32();
}
