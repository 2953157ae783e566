/** The cases of tfjs-core that fail on the lowered kernels, by reason. A case that is listed and passes fails the run,
 *  and so does one that fails and is not listed. */
type ExpectedFailures = readonly {
  readonly reason: string;
  readonly cases: readonly string[];
}[];

export const expectedOnnxFailures: ExpectedFailures = [];

export const expectedTensorFlowFailures: ExpectedFailures = [];
