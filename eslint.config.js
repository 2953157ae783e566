import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import globals from "globals";
import tseslint from "typescript-eslint";
import { allowedImports, packageNames } from "./tools/import-directions.mjs";

export default defineConfig(
  globalIgnores(["**/dist/**", "docs/api/**", ".nx/**", "runs/**"]),
  js.configs.recommended,
  { files: ["**/*.{js,mjs}"], languageOptions: { globals: globals.node } },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
  },
  // Sources import siblings only in the directions of the design; tests may import any of them.
  ...Object.entries(allowedImports).map(([folder, allowed]) => ({
    files: [`packages/${folder}/src/**/*.ts`],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: Object.entries(packageNames)
            .filter(([other]) => other !== folder && !allowed.includes(other))
            .map(([other, name]) => ({
              group: [name, `${name}/*`],
              message: `packages/${folder} must not import packages/${other}: see tools/import-directions.mjs.`,
            })),
        },
      ],
    },
  })),
);
