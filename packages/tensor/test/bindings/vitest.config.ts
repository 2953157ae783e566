import { defineConfig } from "vitest/config";
import workspace from "../../../../vitest.config.js";

/** The one test file that bindings.test.ts runs, which is no test of its own. */
export default defineConfig({
  resolve: workspace.resolve!,
  test: { include: ["packages/tensor/test/bindings/conformance.vitest.ts"] },
});
