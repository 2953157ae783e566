import { LejepaError } from "@lejepa/ops";

/** `code` of the errors that the setup of TensorFlow throws.
 *  - "unsupported-platform": no library for this system or processor
 *  - "no-tfjs-node": @tensorflow/tfjs-node, whose addon is compiled, is not installed
 *  - "no-python", "no-pip", "no-compiler": a program it needs is missing
 *  - "no-cuda-driver": kind "gpu" without NVIDIA's driver, or with one that is too old
 *  - "disk-full": less space than it takes
 *  - "download-failed": pip could not fetch a package
 *  - "hash-mismatch": what pip fetched is not what was published
 *  - "bad-archive": a package that was fetched does not unpack
 *  - "bad-library": the folder of an existing library lacks a library or headers
 *  - "compile-failed": the compiler refused the addon
 *  - "smoke-test-failed": the addon does not load, or computes something wrong
 *  - "lock-lost": another process took over the folder while this one was at work */
export type SetupErrorCode =
  | "unsupported-platform"
  | "no-tfjs-node"
  | "no-python"
  | "no-pip"
  | "no-compiler"
  | "no-cuda-driver"
  | "disk-full"
  | "download-failed"
  | "hash-mismatch"
  | "bad-archive"
  | "bad-library"
  | "compile-failed"
  | "smoke-test-failed"
  | "lock-lost";

/** An error of the setup of TensorFlow. */
export const setupError = (code: SetupErrorCode, message: string, options?: ErrorOptions) =>
  new LejepaError(code, message, options);
