import { expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";

const pair = {
  "head.weight": { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, Number.NaN, -0) },
  scale: { shape: [], data: Float32Array.of(7) },
  empty: { shape: [0, 4], data: new Float32Array(0) },
};

/** A file written by hand: header text, then data bytes. */
function file(text: string, data: readonly number[] = [], length?: number): Uint8Array {
  const header = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? header.length), true);
  bytes.set(header, 8);
  bytes.set(data, 8 + header.length);
  return bytes;
}

test("what is written is read back, bit for bit, with its metadata", () => {
  const bytes = encodeSafetensors(pair, { step: "12" });
  const { tensors, metadata } = decodeSafetensors(bytes, "model.safetensors");
  expect(metadata).toEqual({ step: "12" });
  expect(Object.keys(tensors)).toEqual(Object.keys(pair));
  expect(tensors).toEqual(pair);
});

test("the bytes are those of the published format", () => {
  const bytes = encodeSafetensors({ a: { shape: [1], data: Float32Array.of(1) } });
  const header = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  expect(header.length).toBe(54);
  expect([...bytes.subarray(0, 8)]).toEqual([56, 0, 0, 0, 0, 0, 0, 0]);
  expect(new TextDecoder().decode(bytes.subarray(8, 64))).toBe(`${header}  `);
  expect([...bytes.subarray(64)]).toEqual([0, 0, 0x80, 0x3f]);
});

test("a file written elsewhere may order names and bytes differently and start at any offset", () => {
  const bytes = file(
    '{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40],
  );
  const shifted = new Uint8Array(bytes.length + 3).subarray(3);
  shifted.set(bytes);
  const { tensors } = decodeSafetensors(shifted, "x");
  expect(tensors).toEqual({
    a: { shape: [1], data: Float32Array.of(1) },
    b: { shape: [1], data: Float32Array.of(2) },
  });
});

const one = '"data_offsets":[0,4]';
const faults: { name: string; bytes: Uint8Array; code: string; says: RegExp }[] = [
  { name: "no bytes", bytes: new Uint8Array(0), code: "truncated", says: /0 bytes/ },
  { name: "half a length", bytes: new Uint8Array(5), code: "truncated", says: /5 bytes/ },
  {
    name: "a length beyond the file",
    bytes: file("{}", [], 3),
    code: "truncated",
    says: /needs 3/,
  },
  {
    name: "a length of 2^63",
    bytes: new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0x80]),
    code: "header",
    says: /too long/,
  },
  { name: "a length that cuts the JSON", bytes: file("{}  ", [], 1), code: "header", says: /JSON/ },
  { name: "a header that is a list", bytes: file("[]"), code: "header", says: /JSON object/ },
  { name: "a header that starts with a space", bytes: file(" {}"), code: "header", says: /JSON/ },
  {
    name: "bytes that are no UTF-8",
    bytes: file("{}").fill(0xff, 9),
    code: "header",
    says: /JSON/,
  },
  {
    name: "metadata that is no text",
    bytes: file('{"__metadata__":{"a":1}}'),
    code: "header",
    says: /text/,
  },
  {
    name: "an entry without offsets",
    bytes: file('{"w":{"dtype":"F32","shape":[1]}}', [0, 0, 0, 0]),
    code: "header",
    says: /tensor w/,
  },
  {
    name: "a negative size",
    bytes: file(`{"w":{"dtype":"F32","shape":[-1],${one}}}`, [0, 0, 0, 0]),
    code: "header",
    says: /tensor w/,
  },
  {
    name: "complex numbers",
    bytes: file('{"w":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}', new Array(8).fill(0)),
    code: "dtype",
    says: /tensor w has dtype C64/,
  },
  {
    name: "a dtype that JavaScript objects have",
    bytes: file('{"w":{"dtype":"toString","shape":[1],"data_offsets":[0,4]}}', [0, 0, 0, 0]),
    code: "dtype",
    says: /tensor w has dtype toString/,
  },
  {
    name: "an F64 beyond float32",
    bytes: file('{"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}', [
      ...new Uint8Array(Float64Array.of(1e300).buffer),
    ]),
    code: "dtype",
    says: /tensor w holds an F64 that is too large/,
  },
  {
    name: "a name that stands twice",
    bytes: file(
      `{"w":{"dtype":"U8","shape":[4],${one}},"w":{"dtype":"F32","shape":[1],${one}}}`,
      [0, 0, 0, 0],
    ),
    code: "header",
    says: /the name w twice/,
  },
  {
    name: "a name that stands twice, once in escapes",
    bytes: file(
      `{"w":{"dtype":"U8","shape":[4],${one}},"\\u0077":{"dtype":"F32","shape":[1],${one}}}`,
      [0, 0, 0, 0],
    ),
    code: "header",
    says: /the name w twice/,
  },
  {
    name: "a field that stands twice",
    bytes: file(`{"w":{"dtype":"U8","dtype":"F32","shape":[1],${one}}}`, [0, 0, 0, 0]),
    code: "header",
    says: /the name dtype twice/,
  },
  ...["1.0", "1e0", "10e-1", "-0"].map((size) => ({
    name: `a size written ${size}`,
    bytes: file(`{"w":{"dtype":"F32","shape":[1,${size}],${one}}}`, [0, 0, 0, 0]),
    code: "header",
    says: new RegExp(`tensor w has ${size} in its shape`),
  })),
  {
    name: "an offset written 4e0",
    bytes: file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4e0]}}', [0, 0, 0, 0]),
    code: "header",
    says: /tensor w has 4e0 in its data_offsets/,
  },
  {
    // 4194305 * 4194305 * 211106198978564 is 4 modulo 2^64.
    name: "a shape whose product wraps around to what is there",
    bytes: file(
      '{"w":{"dtype":"F32","shape":[4194305,4194305,211106198978564],"data_offsets":[0,16]}}',
      new Array(16).fill(0),
    ),
    code: "layout",
    says: /tensor w .* more bytes than 64 bits can count/,
  },
  {
    name: "a shape whose product passes 64 bits before a zero",
    bytes: file('{"w":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}'),
    code: "layout",
    says: /tensor w .* more bytes than 64 bits can count/,
  },
  {
    name: "half of a surrogate pair",
    bytes: file(`{"\\ud800":{"dtype":"F32","shape":[1],${one}}}`, [0, 0, 0, 0]),
    code: "header",
    says: /the name "\\ud800" is no text/,
  },
  { name: "a byte-order mark", bytes: file("\ufeff{}", [], 5), code: "header", says: /JSON/ },
  { name: "a comment", bytes: file("{/**/}"), code: "header", says: /JSON/ },
  { name: "a trailing comma", bytes: file('{"__metadata__":{},}'), code: "header", says: /JSON/ },
  {
    name: "lists without end",
    bytes: file(`{"w":${"[".repeat(1e5)}`),
    code: "header",
    says: /JSON/,
  },
  {
    name: "a shape that needs more bytes",
    bytes: file(`{"w":{"dtype":"F32","shape":[2],${one}}}`, [0, 0, 0, 0]),
    code: "layout",
    says: /tensor w .* needs 8 bytes and has 4/,
  },
  {
    name: "two tensors on the same bytes",
    bytes: file(
      `{"a":{"dtype":"F32","shape":[1],${one}},"b":{"dtype":"F32","shape":[1],${one}}}`,
      [0, 0, 0, 0],
    ),
    code: "layout",
    says: /tensor b .* overlaps/,
  },
  {
    name: "a gap",
    bytes: file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', [0, 0, 0, 0, 0, 0, 0, 0]),
    code: "layout",
    says: /tensor w .* gap/,
  },
  {
    name: "two bytes missing",
    bytes: file(`{"w":{"dtype":"F32","shape":[1],${one}}}`, [0, 0]),
    code: "truncated",
    says: /tensor w ends at data byte 4 but the file has 2/,
  },
  {
    name: "bytes left over",
    bytes: file(`{"w":{"dtype":"F32","shape":[1],${one}}}`, [0, 0, 0, 0, 9]),
    code: "layout",
    says: /1 bytes follow/,
  },
];

test.each(faults)("$name is refused", ({ bytes, code, says }) => {
  const read = (): unknown => decodeSafetensors(bytes, "runs/a/model.safetensors");
  expect(read).toThrow(expect.objectContaining({ code: `safetensors-${code}` }));
  expect(read).toThrow(says);
  expect(read).toThrow(/runs\/a\/model\.safetensors/);
});

test("every cut of a real file is refused", () => {
  const bytes = encodeSafetensors(pair, { step: "12" });
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decodeSafetensors(bytes.subarray(0, length), "cut")).toThrow(
      expect.objectContaining({ code: "safetensors-truncated" }),
    );
  }
});

test("a shape that does not fit its data is not written", () => {
  expect(() => encodeSafetensors({ w: { shape: [3], data: new Float32Array(2) } })).toThrow(
    expect.objectContaining({ code: "invalid-tensor" }),
  );
  expect(() =>
    encodeSafetensors({ __metadata__: { shape: [0], data: new Float32Array(0) } }),
  ).toThrow(expect.objectContaining({ code: "invalid-tensor" }));
});

test.each([
  ["a Uint8Array", (bytes: Uint8Array) => bytes],
  ["a Buffer, whose slice is a view", (bytes: Uint8Array) => Buffer.from(bytes)],
])("numbers at an odd place are read from %s, as copies", (_name, as) => {
  // 8 + 54 bytes: the data begin at byte 62.
  const header = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  expect(header.length % 4).toBe(2);
  const bytes = as(file(header, [0, 0, 0x80, 0x3f]));
  const { tensors } = decodeSafetensors(bytes, "x");
  bytes.fill(0);
  expect(tensors).toEqual({ a: { shape: [1], data: Float32Array.of(1) } });
});

test("metadata of null are none, and names are what they are", () => {
  const names = ["__proto__", "", "7", "a\u0000", "\u{1f600}"];
  const entries = names.map((name, i) => {
    const offsets = `[${4 * i},${4 * i + 4}]`;
    return `${JSON.stringify(name)}:{"dtype":"F32","shape":[],"data_offsets":${offsets},"more":1.5}`;
  });
  const bytes = file(`{"__metadata__":null,${entries.join()}}\n\t `, new Array(20).fill(0));
  const { tensors, metadata } = decodeSafetensors(bytes, "x");
  expect(metadata).toEqual({});
  expect(Object.keys(tensors).sort()).toEqual(names.sort());
});

const kinds: { dtype: string; bytes: ArrayBuffer; read: number[] }[] = [
  { dtype: "BOOL", bytes: Uint8Array.of(0, 1).buffer, read: [0, 1] },
  { dtype: "U8", bytes: Uint8Array.of(0, 255).buffer, read: [0, 255] },
  { dtype: "I8", bytes: Int8Array.of(-128, 127).buffer, read: [-128, 127] },
  { dtype: "U16", bytes: Uint16Array.of(0, 65535).buffer, read: [0, 65535] },
  { dtype: "I16", bytes: Int16Array.of(-32768, 1).buffer, read: [-32768, 1] },
  { dtype: "U32", bytes: Uint32Array.of(2 ** 31, 16777217).buffer, read: [2 ** 31, 16777216] },
  { dtype: "I32", bytes: Int32Array.of(-7, 12).buffer, read: [-7, 12] },
  { dtype: "U64", bytes: BigUint64Array.of(2n ** 63n, 5n).buffer, read: [2 ** 63, 5] },
  { dtype: "I64", bytes: BigInt64Array.of(-3n, 1000n).buffer, read: [-3, 1000] },
  { dtype: "F64", bytes: Float64Array.of(0.5, Infinity).buffer, read: [0.5, Infinity] },
  // IEEE 754: the largest, the smallest, minus two thirds rounded, NaN.
  {
    dtype: "F16",
    bytes: Uint16Array.of(0x7bff, 0x0001, 0xb955, 0x7c00, 0x8000).buffer,
    read: [65504, 2 ** -24, -0.66650390625, Infinity, -0],
  },
  { dtype: "F16", bytes: Uint16Array.of(0x7e01).buffer, read: [Number.NaN] },
  {
    dtype: "BF16",
    bytes: Uint16Array.of(0x3f80, 0xc049, 0xff80).buffer,
    read: [1, -3.140625, -Infinity],
  },
  // The ranges that the paper of the formats gives (arXiv 2209.05433): 448 and 2^-9, 57344 and 2^-16.
  {
    dtype: "F8_E4M3",
    bytes: Uint8Array.of(0x7e, 0x01, 0xff).buffer,
    read: [448, 2 ** -9, Number.NaN],
  },
  {
    dtype: "F8_E5M2",
    bytes: Uint8Array.of(0x7b, 0x01, 0xfc).buffer,
    read: [57344, 2 ** -16, -Infinity],
  },
  { dtype: "F8_E8M0", bytes: Uint8Array.of(127, 0, 255).buffer, read: [1, 2 ** -127, Number.NaN] },
  { dtype: "F8_E4M3FNUZ", bytes: Uint8Array.of(0x7f, 0x80).buffer, read: [240, Number.NaN] },
  { dtype: "F8_E5M2FNUZ", bytes: Uint8Array.of(0x7f, 0x80).buffer, read: [57344, Number.NaN] },
];

test.each(kinds)("$dtype is read as $read", ({ dtype, bytes, read }) => {
  const spec = { dtype, shape: [read.length], data_offsets: [0, bytes.byteLength] };
  const content = file(JSON.stringify({ w: spec }), [...new Uint8Array(bytes)]);
  const { tensors } = decodeSafetensors(content, "x");
  expect(tensors["w"]).toEqual({ shape: [read.length], data: Float32Array.from(read) });
});

const ones = { shape: [1], data: Float32Array.of(1) };
test.each([
  ["a name with half of a surrogate pair", () => encodeSafetensors({ "a\ud800": ones })],
  ["metadata with half of a surrogate pair", () => encodeSafetensors({}, { a: "\udc00" })],
  ["metadata that are no text", () => encodeSafetensors({}, { a: 1 as never })],
  ["nothing", () => encodeSafetensors(undefined as never)],
  ["a list of numbers", () => encodeSafetensors({ w: { shape: [1], data: [1] as never } })],
  [
    "a fractional size",
    () => encodeSafetensors({ w: { shape: [1.5], data: new Float32Array(1) } }),
  ],
])("%s is not written", (_name, write) => {
  expect(write).toThrow(expect.objectContaining({ name: "LejepaError", code: "invalid-tensor" }));
});
