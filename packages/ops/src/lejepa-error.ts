/** What went wrong, for a program to branch on: `new LejepaError("unknown-encoder", "...")`.
 *
 *  Every failure that a user of the packages can cause or mend is one of these. `code` is stable kebab-case
 *  and differs for each way of failing; `message` is one sentence: what, where, what to do. Packages that do not
 *  share this module have a class of their own with the same `name`, so recognise an error by `name` and `code`,
 *  never by `instanceof`. */
export class LejepaError<Code extends string = string> extends Error {
  /** Always "LejepaError", in every package. */
  override readonly name = "LejepaError";
  /** Which failure this is: a stable kebab-case word such as "bad-shape". */
  readonly code: Code;

  /** @param code stable kebab-case word for this way of failing
   *  @param message one sentence: what, where, what to do
   *  @param options `cause`: the error that led here */
  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
