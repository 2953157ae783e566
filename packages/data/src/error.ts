/** What went wrong, as a stable word that programs may test.
 *  - `invalid-option`: an argument is out of its range or of the wrong kind.
 *  - `invalid-views`, `unknown-transform`: a view specification is wrong.
 *  - `unknown-dataset`, `missing-data-package`, `missing-file`: a dataset cannot be found.
 *  - `idx-magic`, `idx-gzip`, `idx-type`, `idx-truncated`, `idx-trailing-bytes`, `idx-dimensions`, `label-count`:
 *    an IDX file, or a pair of them, is broken.
 *  - `item-failed`: reading one item of a dataset threw; see `index` and `cause`.
 *  - `invalid-sample`: a dataset returned something that is not a usable image or label; see `index`.
 *  - `reopen-failed`: a worker thread could not open the dataset.
 *  - `worker-failed`: a worker thread stopped by itself. */
export type DataErrorCode =
  | "invalid-option"
  | "invalid-views"
  | "unknown-transform"
  | "unknown-dataset"
  | "missing-data-package"
  | "missing-file"
  | "idx-magic"
  | "idx-gzip"
  | "idx-type"
  | "idx-truncated"
  | "idx-trailing-bytes"
  | "idx-dimensions"
  | "label-count"
  | "item-failed"
  | "invalid-sample"
  | "reopen-failed"
  | "worker-failed";

/** The places that an error may name beside its message. */
export interface ErrorPlace {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** The file that is missing or broken. */
  readonly file?: string;
  /** The item of the dataset that failed. */
  readonly index?: number;
}

/** Every error that this package throws on purpose. Recognise it by `name` and `code`, not by
 *  `instanceof`: two copies of the package may be loaded at once. */
export class LejepaError extends Error {
  /** Always "LejepaError". */
  override readonly name = "LejepaError";
  /** What went wrong, for programs. */
  readonly code: DataErrorCode;
  /** The file that is missing or broken, where one is. */
  readonly file: string | undefined;
  /** The item of the dataset that failed, where one did. */
  readonly index: number | undefined;

  /** @param code what went wrong, for programs
   *  @param message one sentence for people: what, where, what to do
   *  @param place file, item and cause, where known */
  constructor(code: DataErrorCode, message: string, place: ErrorPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.code = code;
    this.file = place.file;
    this.index = place.index;
  }
}
