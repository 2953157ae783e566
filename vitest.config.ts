import { defineConfig } from "vitest/config";

const packages = `${import.meta.dirname}/packages`;

/** Tests read the sources of sibling packages, so they need no build. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@lejepa\/([a-z]+)$/, replacement: `${packages}/$1/src/index.ts` },
      { find: /^@lejepa\/([a-z]+)\/(.+)$/, replacement: `${packages}/$1/src/$2.ts` },
      { find: /^lejepa$/, replacement: `${packages}/cli/src/index.ts` },
    ],
  },
  test: {
    environment: "node",
    include: ["{packages/*/{src,test},tools,docs/examples}/**/*.test.ts"],
    pool: "forks",
    // A worker thread started by a module under test is TypeScript too.
    execArgv: ["--import", "tsx"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    expect: { requireAssertions: true },
    reporters: ["default", "./tools/vitest-summary-reporter.mjs"],
  },
});
