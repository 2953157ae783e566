import {
  LejepaError,
  requireArgument,
  someText,
  type Expected,
  type HostTensor,
  type HostTensors,
} from "@lejepa/ops";
import { littleEndianBytes, numberFormats } from "./number-formats.js";
import { parseStrictJson, type StrictJson } from "./strict-json.js";

/** The safetensors format, strict in both directions; float32 is what is written, and what every number becomes.
 *    8 bytes    N, the header's length, unsigned 64-bit, little-endian
 *    N bytes    JSON, UTF-8, begins with "{", may end in spaces:
 *               {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {"k": "text"}}
 *    the rest   the tensors' bytes, little-endian, row-major, without gaps or overlaps; offsets count from its start
 *  Source: the format section of the safetensors README. Differs from its reader: a name that stands twice is refused, as
 *  the format says, where that takes the last; and the writer pads the header so that data begin at a multiple of 8 bytes.
 *  npm has no maintained package that both reads and writes the format (safetensors@0.0.1 is a placeholder). */

/** What a safetensors file holds. */
export interface SafetensorsContent {
  /** The tensors, in the order of their bytes, as float32. F16, BF16 and the formats of 8 bits are exact; F64 and whole
   *  numbers beyond 2^24 are rounded to the nearest. */
  readonly tensors: HostTensors;
  /** Free text by key, empty when the file has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

const lengthBytes = 8;
const alignment = 8;
/** The limit that the format's reference reader keeps, against headers made to exhaust memory. */
const longestHeader = 100_000_000;
const metadataKey = "__metadata__";

/** The bytes of a safetensors file with these tensors, in the order of the record.
 *  @throws LejepaError "invalid-tensor" when a shape does not fit its data, or a name or a text of the metadata is none that
 *  the format can hold. */
export function encodeSafetensors(
  tensors: HostTensors,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  if (!isRecord(tensors) || !isRecord(metadata)) {
    throw invalid("tensors and metadata should be records by name");
  }
  const header: [string, unknown][] = [];
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string") throw invalid(`the metadata ${shown(key)} should be text`);
    if (!isText(key) || !isText(value)) throw invalid(`the metadata ${shown(key)} is no text`);
  }
  if (Object.keys(metadata).length > 0) header.push([metadataKey, metadata]);
  let end = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const { shape, data } = checkTensor(name, tensor);
    const begin = end;
    end += data.byteLength;
    header.push([name, { dtype: "F32", shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(json.length / alignment) * alignment;
  const bytes = new Uint8Array(lengthBytes + headerLength + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, lengthBytes, lengthBytes + headerLength);
  bytes.set(json, lengthBytes);
  let at = lengthBytes + headerLength;
  for (const { data } of Object.values(tensors)) {
    bytes.set(littleEndianBytes(data), at);
    at += data.byteLength;
  }
  return bytes;
}

function checkTensor(name: string, tensor: HostTensor): HostTensor {
  if (name === metadataKey) {
    throw invalid(`the name ${metadataKey} belongs to the format; rename the tensor`);
  }
  if (!isText(name)) throw invalid(`the name ${shown(name)} is no text; rename the tensor`);
  const { shape, data } = isRecord(tensor) ? tensor : {};
  if (!isSizes(shape) || !(data instanceof Float32Array)) {
    throw invalid(`tensor ${shown(name)} should be { shape, data } with data a Float32Array`);
  }
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== data.length) {
    throw invalid(
      `tensor ${shown(name)} of shape [${shape.join(", ")}] should hold ${size} numbers, got ${data.length}`,
    );
  }
  return { shape, data };
}

const someBytes: Expected = {
  text: "a Uint8Array",
  accepts: (value) => value instanceof Uint8Array,
};

/** Reads the bytes of a safetensors file; `file` names it in errors. The arrays are copies.
 *  @throws LejepaError "invalid-argument" for what are no bytes; else each code is one way for a file to be wrong:
 *  - "safetensors-truncated": shorter than its header, or its tensors, need;
 *  - "safetensors-header": the header is no JSON object of tensors, has a name twice, or its length is impossible;
 *  - "safetensors-layout": a tensor's bytes do not fit its shape, or leave gaps, overlap, or bytes left over;
 *  - "safetensors-dtype": a tensor holds what float32 cannot: complex numbers, numbers of less than a byte, or an F64 out
 *    of its range. */
export function decodeSafetensors(bytes: Uint8Array, file: string): SafetensorsContent {
  requireArgument("decodeSafetensors", "bytes", bytes, someBytes, "invalid-argument");
  requireArgument("decodeSafetensors", "file", file, someText, "invalid-argument");
  const { header, dataStart } = readHeader(bytes, file);
  const { [metadataKey]: given, ...entries } = header;
  const metadata = given ?? {};
  if (!isRecord(metadata) || !Object.entries(metadata).flat().every(isText)) {
    throw fault("header", file, `${metadataKey} should map names to text`);
  }
  const specs = Object.entries(entries)
    .map(([name, entry]) => readEntry(name, entry, file))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  const data = bytes.subarray(dataStart);
  const tensors: [string, HostTensor][] = [];
  let expected = 0;
  for (const { name, dtype, shape, begin, end } of specs) {
    if (begin !== expected) {
      const what = begin < expected ? "overlaps the tensor before it" : "leaves a gap before it";
      throw fault("layout", file, `tensor ${shown(name)} begins at byte ${begin} and ${what}`);
    }
    if (end > data.length) {
      throw fault(
        "truncated",
        file,
        `tensor ${shown(name)} ends at data byte ${end} but the file has ${data.length}`,
      );
    }
    const numbers = numberFormats[dtype]!.read(data.subarray(begin, end));
    if (dtype === "F64" && overflows(numbers, data.subarray(begin, end))) {
      throw unreadable(file, name, "holds an F64 that is too large for float32");
    }
    tensors.push([name, { shape, data: numbers }]);
    expected = end;
  }
  if (expected !== data.length) {
    throw fault("layout", file, `${data.length - expected} bytes follow the last tensor`);
  }
  // From entries, so that a tensor called __proto__ is one more name.
  return {
    tensors: Object.fromEntries(tensors),
    metadata: metadata as Record<string, string>,
  };
}

/** Whether a number became infinite that was not. */
function overflows(numbers: Float32Array, source: Uint8Array): boolean {
  const view = new DataView(source.buffer, source.byteOffset);
  return numbers.some(
    (number, i) => Math.abs(number) === Infinity && Number.isFinite(view.getFloat64(8 * i, true)),
  );
}

function readHeader(
  bytes: Uint8Array,
  file: string,
): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < lengthBytes) {
    throw fault("truncated", file, `it has ${bytes.length} bytes, too few for a header length`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(longestHeader)) {
    throw fault("header", file, `a header of ${length} bytes is too long to be one`);
  }
  const dataStart = lengthBytes + Number(length);
  if (dataStart > bytes.length) {
    throw fault(
      "truncated",
      file,
      `its header needs ${length} bytes and ${bytes.length - lengthBytes} are there`,
    );
  }
  let json: StrictJson;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(lengthBytes, dataStart),
    );
    json = parseStrictJson(text.startsWith("{") ? text : "");
  } catch {
    throw fault("header", file, "its header is no JSON object");
  }
  const [twice] = json.duplicates;
  if (twice !== undefined)
    throw fault("header", file, `its header has the name ${shown(twice)} twice`);
  const odd = json.notWhole.find(({ path }) => path[1] === "shape" || path[1] === "data_offsets");
  if (odd !== undefined) {
    throw fault(
      "header",
      file,
      `tensor ${shown(String(odd.path[0]))} has ${odd.text} in its ${odd.path[1]}, which is not written as a whole number`,
    );
  }
  return { header: json.value as Record<string, unknown>, dataStart };
}

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readEntry(name: string, entry: unknown, file: string): Entry {
  if (!isText(name)) throw fault("header", file, `the name ${shown(name)} is no text`);
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  if (typeof dtype !== "string" || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw fault("header", file, `tensor ${shown(name)} lacks a dtype, a shape or two data_offsets`);
  }
  const format = Object.hasOwn(numberFormats, dtype) ? numberFormats[dtype] : undefined;
  if (format === undefined) throw unreadable(file, name, `has dtype ${dtype}`);
  const [begin, end] = offsets as [number, number];
  const wanted = bytesOf(shape, format.bytes);
  if (wanted === undefined) {
    throw fault(
      "layout",
      file,
      `tensor ${shown(name)} of shape [${shape.join(", ")}] needs more bytes than 64 bits can count`,
    );
  }
  if (BigInt(end) - BigInt(begin) !== wanted) {
    throw fault(
      "layout",
      file,
      `tensor ${shown(name)} of shape [${shape.join(", ")}] needs ${wanted} bytes and has ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** Bytes of a tensor; undefined where a product on the way, taken from the left, passes 64 bits. */
function bytesOf(shape: readonly number[], bytes: number): bigint | undefined {
  let product = 1n;
  for (const factor of [...shape, bytes]) {
    product *= BigInt(factor);
    if (product >= 1n << 64n) return undefined;
  }
  return product;
}

function fault(kind: "truncated" | "header" | "layout", file: string, what: string): LejepaError {
  return new LejepaError(
    `safetensors-${kind}`,
    `${file} is no intact safetensors file: ${what}; use another copy of it.`,
  );
}

function unreadable(file: string, tensor: string, what: string): LejepaError {
  return new LejepaError(
    "safetensors-dtype",
    `${file}: tensor ${shown(tensor)} ${what}; what is read here is ${Object.keys(numberFormats).join(", ")} as float32, so convert the file first.`,
  );
}

const invalid = (what: string): LejepaError =>
  new LejepaError("invalid-tensor", `safetensors: ${what}.`);

/** Whether it is an object with fields of its own: a Map or a Date would pass for an empty one. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === "[object Object]";
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Whether it is text that UTF-8 can hold: half of a surrogate pair is none. */
function isText(value: unknown): boolean {
  return typeof value === "string" && !/\p{Surrogate}/u.test(value);
}

/** A name in a message of one line: line breaks and halves of pairs are spelled out. */
const shown = (name: string): string =>
  /[\p{Control}\p{Surrogate}]/u.test(name) ? JSON.stringify(name) : name;
