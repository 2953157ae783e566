import { LejepaError } from "@lejepa/ops";
import type { EngineErrorCode } from "./engine.js";

/** An error of this package: its `code` is one of {@link EngineErrorCode}. */
export const engineError = (code: EngineErrorCode, message: string, options?: ErrorOptions) =>
  new LejepaError(code, message, options);
