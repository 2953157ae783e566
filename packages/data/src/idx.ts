/** IDX files of unsigned bytes, the format of MNIST:
 *    bytes 0-1  zero     byte 2  element type (0x08: unsigned byte)     byte 3  number of axes, R
 *    then R sizes, 32-bit unsigned big-endian     then the values, last axis fastest
 *  Source: the format note on the MNIST page of LeCun, Cortes and Burges. */
import { open, stat, type FileHandle } from "node:fs/promises";
import { messageOf } from "./dataset.js";
import { LejepaError } from "./error.js";

/** The content of an IDX file. */
export interface IdxArray {
  /** Size of each axis. */
  readonly shape: readonly number[];
  /** The values, last axis fastest, in memory that threads can share. */
  readonly data: Uint8Array;
}

/** Reads an IDX file of unsigned bytes whole.
 *  @param file path of the file, uncompressed
 *  @param axes how many axes it must have: 3 for grey images, 1 for labels; any number when left out
 *  Throws, always with `file`: `missing-file` (not there, or not readable), `idx-magic` (not an IDX file),
 *  `idx-type` (values other than unsigned bytes), `idx-dimensions` (another number of axes, or an
 *  empty one), `idx-truncated` (fewer values than the header says), `idx-trailing-bytes` (more). */
export async function readIdx(file: string, axes?: number): Promise<IdxArray> {
  try {
    // Asked first: opening a pipe would wait for its other end.
    if (!(await stat(file)).isFile()) throw unreadable(file, "it is a folder, or no plain file");
    const handle = await open(file);
    try {
      return await readOpenIdx(handle, file, axes);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof LejepaError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw unreadable(file, code === "ENOENT" ? "it is not there" : messageOf(error), error);
  }
}

const unreadable = (file: string, why: string, cause?: unknown): LejepaError =>
  new LejepaError(
    "missing-file",
    `${file}: cannot be read: ${why}. Check the path, or download the file again.`,
    { file, cause },
  );

async function readOpenIdx(
  handle: FileHandle,
  file: string,
  axes: number | undefined,
): Promise<IdxArray> {
  const { size: fileSize } = await handle.stat();
  const magic = await readExactly(handle, file, fileSize, Buffer.alloc(4), 0);
  if (magic[0] === 0x1f && magic[1] === 0x8b)
    throw new LejepaError(
      "idx-magic",
      `${file}: is compressed with gzip. Unpack it first: gunzip ${file}`,
      { file },
    );
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
  const header = await readExactly(handle, file, fileSize, Buffer.alloc(4 * rank), 4);
  const shape = Array.from({ length: rank }, (_, axis) => header.readUInt32BE(4 * axis));
  const length = shape.reduce((product, side) => product * side, 1);
  if (length === 0)
    throw new LejepaError(
      "idx-dimensions",
      `${file}: is empty: its shape is [${shape.join(", ")}]. Download it again.`,
      { file },
    );
  const start = 4 + 4 * rank;
  if (fileSize < start + length) throw truncated(file, start + length, fileSize);
  if (fileSize > start + length)
    throw new LejepaError(
      "idx-trailing-bytes",
      `${file}: has ${fileSize - start - length} bytes after the ${length} values of shape [${shape.join(", ")}]. Download it again.`,
      { file },
    );
  const data = new Uint8Array(new SharedArrayBuffer(length));
  return { shape, data: await readExactly(handle, file, fileSize, data, start) };
}

/** Fills the array from a position of the file, or throws `idx-truncated`. */
async function readExactly<A extends Uint8Array>(
  handle: FileHandle,
  file: string,
  fileSize: number,
  into: A,
  position: number,
): Promise<A> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await handle.read(into, filled, into.length - filled, position + filled);
    if (bytesRead === 0) throw truncated(file, position + into.length, fileSize);
    filled += bytesRead;
  }
  return into;
}

const truncated = (file: string, expected: number, found: number): LejepaError =>
  new LejepaError(
    "idx-truncated",
    `${file}: is cut off: ${found} bytes of at least ${expected}. Download it again.`,
    { file },
  );
