/** Kernels that no training step of images needs: complex numbers, text, ragged and sparse tensors. */
import { refuse } from "./kernel.js";

const real = "write it in real numbers, or do it outside the step";
const text = "a step has no text: do it outside";
const ragged = "use dense tensors of a fixed shape, with a mask";

export const unsupported = {
  Complex: refuse(real),
  ComplexAbs: refuse(real),
  Real: refuse(real),
  Imag: refuse(real),
  FFT: refuse(real),
  IFFT: refuse(real),
  StaticRegexReplace: refuse(text),
  StringNGrams: refuse(text),
  StringSplit: refuse(text),
  StringToHashBucketFast: refuse(text),
  RaggedGather: refuse(ragged),
  RaggedRange: refuse(ragged),
  RaggedTensorToTensor: refuse(ragged),
  SparseFillEmptyRows: refuse(ragged),
  SparseReshape: refuse(ragged),
  SparseSegmentMean: refuse(ragged),
  SparseSegmentSum: refuse(ragged),
  SparseToDense: refuse(ragged),
};
