import { expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";

const pair = {
  "head.weight": { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, Number.NaN, -0) },
  scale: { shape: [], data: Float32Array.of(7) },
  empty: { shape: [0, 4], data: new Float32Array(0) },
};

/** A file written by hand: header text, then data bytes. */
function file(header: string, data: readonly number[] = [], length = header.length): Uint8Array {
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(new TextEncoder().encode(header), 8);
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
    name: "another dtype",
    bytes: file('{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}', [0, 0, 0, 0]),
    code: "dtype",
    says: /tensor w has dtype F16/,
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
