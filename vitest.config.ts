import { defineConfig } from "vitest/config";
import { namedBackends } from "./tools/backend-names.mjs";

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
    // What is not named is not there: "auto" chooses alike on every machine.
    env: namedBackends.includes("tensorflow")
      ? {}
      : { LEJEPA_TENSORFLOW_DIR: `${import.meta.dirname}/node_modules/.cache/no-tensorflow` },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    expect: { requireAssertions: true },
    reporters: ["default", "./tools/vitest-summary-reporter.mjs"],
  },
});
