/** IDX files of unsigned bytes, the format of MNIST:
 *    bytes 0-1  zero     byte 2  element type (0x08: unsigned byte)     byte 3  number of axes, R
 *    then R sizes, 32-bit unsigned big-endian     then the values, last axis fastest
 *  Source: the format note on the MNIST page of LeCun, Cortes and Burges. As they are distributed, such files are compressed
 *  with gzip; those are unpacked in memory, known by their first two bytes whatever their name. */
import { open, stat, type FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { checkValue } from "./check-fields.js";
import { messageOf } from "./dataset.js";
import { LejepaError } from "./error.js";
import { text, wholeNumber } from "./fields.js";

/** The content of an IDX file. */
export interface IdxArray {
  /** Size of each axis. */
  readonly shape: readonly number[];
  /** The values, last axis fastest, in memory that threads can share. */
  readonly data: Uint8Array;
}

/** Reads an IDX file of unsigned bytes whole.
 *  @param file path of the file, as it is or compressed with gzip
 *  @param axes how many axes it must have: 3 for grey images, 1 for labels; any number when left out
 *  Throws `invalid-option` for other arguments, and always with `file`: `missing-file` (not there, or not readable),
 *  `idx-gzip` (compressed, and cannot be unpacked), `idx-magic` (not an IDX file),
 *  `idx-type` (values other than unsigned bytes), `idx-dimensions` (another number of axes, or an
 *  empty one), `idx-truncated` (fewer values than the header says), `idx-trailing-bytes` (more). */
export async function readIdx(file: string, axes?: number): Promise<IdxArray> {
  checkValue(file, text("required"), "readIdx: file", "invalid-option");
  checkValue(axes, wholeNumber("optional", { min: 1 }), "readIdx: axes", "invalid-option");
  try {
    // Asked first: opening a pipe would wait for its other end.
    const found = await stat(file);
    if (!found.isFile())
      throw unreadable(file, found.isDirectory() ? "it is a folder" : "it is no plain file");
    const handle = await open(file);
    try {
      return await readOpenIdx(await contentOf(handle, file), file, axes);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof LejepaError) throw error;
    throw unreadable(file, reasonOf(error), error);
  }
}

/** Why a file cannot be read, in words where there are better ones than the system's. */
function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "it is not there";
  if (code === "EACCES" || code === "EPERM") return "its permissions do not allow it";
  return messageOf(error);
}

const unreadable = (file: string, why: string, cause?: unknown): LejepaError =>
  new LejepaError(
    "missing-file",
    `${file}: cannot be read: ${why}. Check the path, or download the file again.`,
    { file, cause },
  );

/** Bytes that can be read from any position. */
interface Content {
  readonly size: number;
  /** Fills part of the array from a position on; how many bytes there were, 0 behind the end. */
  read(into: Uint8Array, offset: number, position: number): Promise<number>;
}

/** The bytes of a file, unpacked if they are compressed. */
async function contentOf(handle: FileHandle, file: string): Promise<Content> {
  const { size } = await handle.stat();
  const plain: Content = {
    size,
    read: async (into, offset, position) =>
      (await handle.read(into, offset, into.length - offset, position)).bytesRead,
  };
  const first = new Uint8Array(2);
  if ((await plain.read(first, 0, 0)) < 2 || first[0] !== 0x1f || first[1] !== 0x8b) return plain;
  const unpacked = await unpack(await readExactly(plain, file, Buffer.alloc(size), 0), file);
  return {
    size: unpacked.length,
    read: (into, offset, position) => {
      const part = unpacked.subarray(position, position + into.length - offset);
      into.set(part, offset);
      return Promise.resolve(part.length);
    },
  };
}

/** What a small file may unpack to: many times all of MNIST, and less than would take the machine down. */
const mostBytes = 2 ** 32;

async function unpack(packed: Buffer, file: string): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(packed, { maxOutputLength: mostBytes });
  } catch (cause) {
    throw new LejepaError(
      "idx-gzip",
      `${file}: is compressed with gzip and cannot be unpacked: ${messageOf(cause)}. Download it again.`,
      { file, cause },
    );
  }
}

async function readOpenIdx(
  content: Content,
  file: string,
  axes: number | undefined,
): Promise<IdxArray> {
  const magic = await readExactly(content, file, Buffer.alloc(4), 0);
  const [zero0, zero1, type, rank] = magic as unknown as [number, number, number, number];
  if (zero0 !== 0 || zero1 !== 0 || rank === 0)
    throw new LejepaError(
      "idx-magic",
      `${file}: is not an IDX file: it begins with bytes ${[...magic].join(" ")}, not 0 0 8 and the number of axes. Download it again.`,
      { file },
    );
  if (type !== 8)
    throw new LejepaError(
      "idx-type",
      `${file}: holds values of type 0x${type.toString(16).padStart(2, "0")}; only unsigned bytes (0x08) can be read. Convert it.`,
      { file },
    );
  if (axes !== undefined && rank !== axes)
    throw new LejepaError(
      "idx-dimensions",
      `${file}: has ${rank} axes where ${axes} are expected (images have 3, labels 1). Check that image and label files are not exchanged.`,
      { file },
    );
  const header = await readExactly(content, file, Buffer.alloc(4 * rank), 4);
  const shape = Array.from({ length: rank }, (_, axis) => header.readUInt32BE(4 * axis));
  const length = shape.reduce((product, side) => product * side, 1);
  if (length === 0)
    throw new LejepaError(
      "idx-dimensions",
      `${file}: is empty: its shape is [${shape.join(", ")}]. Download it again.`,
      { file },
    );
  const start = 4 + 4 * rank;
  if (content.size < start + length) throw truncated(file, start + length, content.size);
  if (content.size > start + length)
    throw new LejepaError(
      "idx-trailing-bytes",
      `${file}: has ${content.size - start - length} bytes after the ${length} values of shape [${shape.join(", ")}]. Download it again.`,
      { file },
    );
  const data = new Uint8Array(new SharedArrayBuffer(length));
  return { shape, data: await readExactly(content, file, data, start) };
}

/** Fills the array from a position of the file, or throws `idx-truncated`. */
async function readExactly<A extends Uint8Array>(
  content: Content,
  file: string,
  into: A,
  position: number,
): Promise<A> {
  let filled = 0;
  while (filled < into.length) {
    const bytes = await content.read(into, filled, position + filled);
    if (bytes === 0) throw truncated(file, position + into.length, content.size);
    filled += bytes;
  }
  return into;
}

const truncated = (file: string, expected: number, found: number): LejepaError =>
  new LejepaError(
    "idx-truncated",
    `${file}: is cut off: ${found} bytes of at least ${expected}. Download it again.`,
    { file },
  );
