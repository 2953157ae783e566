import { LejepaError, type HostTensor, type HostTensors } from "@lejepa/ops";

/** The safetensors format, float32 tensors only, strict in both directions.
 *    8 bytes    N, the header's length, unsigned 64-bit, little-endian
 *    N bytes    JSON, UTF-8, begins with "{", may end in spaces:
 *               {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {"k": "text"}}
 *    the rest   the tensors' bytes, little-endian, row-major, without gaps or overlaps; offsets count from its start
 *  Source: the format section of the safetensors README. Differs: dtypes other than F32 are refused by name, and the
 *  writer pads the header so that data begin at a multiple of 8 bytes.
 *  npm has no maintained package that both reads and writes the format (safetensors@0.0.1 is a placeholder). */

/** What a safetensors file holds. */
export interface SafetensorsContent {
  /** The tensors, in the order of their bytes. */
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
 *  Throws LejepaError "invalid-tensor" when a shape does not fit its data or a name is taken by the format. */
export function encodeSafetensors(
  tensors: HostTensors,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push([metadataKey, metadata]);
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (name === metadataKey) {
      throw new LejepaError(
        "invalid-tensor",
        `safetensors: the name ${metadataKey} belongs to the format; rename the tensor.`,
      );
    }
    if (elements(shape) !== data.length) {
      throw new LejepaError(
        "invalid-tensor",
        `safetensors: tensor ${name} of shape [${shape.join(", ")}] should hold ${elements(shape)} numbers, got ${data.length}.`,
      );
    }
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

/** Reads the bytes of a safetensors file; `file` names it in errors. The arrays are copies.
 *  Throws LejepaError, each code one way of being wrong:
 *  - "safetensors-truncated": shorter than its header, or its tensors, need;
 *  - "safetensors-header": the header is no JSON object of tensors, or its length is impossible;
 *  - "safetensors-layout": a tensor's bytes do not fit its shape, or leave gaps, overlap, or bytes left over;
 *  - "safetensors-dtype": a tensor is not float32. */
export function decodeSafetensors(bytes: Uint8Array, file: string): SafetensorsContent {
  const { header, dataStart } = readHeader(bytes, file);
  const { [metadataKey]: metadata = {}, ...entries } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((v) => typeof v === "string")) {
    throw fault("header", file, `${metadataKey} should map names to text`);
  }
  const specs = Object.entries(entries)
    .map(([name, entry]) => readEntry(name, entry, file))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  const data = bytes.subarray(dataStart);
  const tensors: [string, HostTensor][] = [];
  let expected = 0;
  for (const { name, shape, begin, end } of specs) {
    if (begin !== expected) {
      const what = begin < expected ? "overlaps the tensor before it" : "leaves a gap before it";
      throw fault("layout", file, `tensor ${name} begins at byte ${begin} and ${what}`);
    }
    if (end > data.length) {
      throw fault(
        "truncated",
        file,
        `tensor ${name} ends at data byte ${end} but the file has ${data.length}`,
      );
    }
    tensors.push([name, { shape, data: floats(data.subarray(begin, end)) }]);
    expected = end;
  }
  if (expected !== data.length) {
    throw fault("layout", file, `${data.length - expected} bytes follow the last tensor`);
  }
  // From entries, so that a tensor called __proto__ is one more name.
  return { tensors: Object.fromEntries(tensors), metadata: metadata as Record<string, string> };
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
  let header: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(lengthBytes, dataStart),
    );
    header = text.startsWith("{") ? JSON.parse(text) : undefined;
  } catch {
    header = undefined;
  }
  if (!isRecord(header)) throw fault("header", file, "its header is no JSON object");
  return { header, dataStart };
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readEntry(name: string, entry: unknown, file: string): Entry {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  if (typeof dtype !== "string" || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw fault("header", file, `tensor ${name} lacks a dtype, a shape or two data_offsets`);
  }
  if (dtype !== "F32") {
    throw new LejepaError(
      "safetensors-dtype",
      `${file}: tensor ${name} has dtype ${dtype}; only F32 is read here, so convert the file to float32 first.`,
    );
  }
  const [begin, end] = offsets as [number, number];
  const wanted = elements(shape) * Float32Array.BYTES_PER_ELEMENT;
  if (end - begin !== wanted) {
    throw fault(
      "layout",
      file,
      `tensor ${name} of shape [${shape.join(", ")}] needs ${wanted} bytes and has ${end - begin}`,
    );
  }
  return { name, shape, begin, end };
}

function fault(kind: "truncated" | "header" | "layout", file: string, what: string): LejepaError {
  return new LejepaError(
    `safetensors-${kind}`,
    `${file} is no intact safetensors file: ${what}; use another copy of it.`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function littleEndianBytes(data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return hostIsLittleEndian ? bytes : swapped(bytes);
}

function floats(bytes: Uint8Array): Float32Array {
  const copy = hostIsLittleEndian ? bytes.slice() : swapped(bytes);
  return new Float32Array(copy.buffer, copy.byteOffset, copy.length / 4);
}

/** A copy with the bytes of each 4-byte number in the other order. */
function swapped(bytes: Uint8Array): Uint8Array {
  return bytes.map((_, i) => bytes[i - (i % 4) + 3 - (i % 4)]!);
}
