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
  ...Object.entries(allowedImports).map(([folder, allowed]) => {
    const forbidden = Object.entries(packageNames).filter(
      ([other]) => other !== folder && !allowed.includes(other),
    );
    const message = (other) =>
      `packages/${folder} must not import packages/${other}: see tools/import-directions.mjs.`;
    return {
      files: [`packages/${folder}/src/**/*.ts`],
      ignores: ["**/*.test.ts"],
      rules: {
        "no-restricted-imports": [
          "error",
          {
            patterns: [
              ...forbidden.map(([other, name]) => ({
                regex: `^${name}(/|$)`,
                message: message(other),
              })),
              {
                regex: `^(\\.\\./)+(${Object.keys(packageNames).join("|")})/(src|dist)/`,
                message: "Import another package by its name.",
              },
            ],
          },
        ],
        // The rule above does not look at import("...") expressions and types.
        "no-restricted-syntax": [
          "error",
          ...forbidden.flatMap(([other, name]) => {
            const literal = `[value=/^${name.replace("/", "\\u002f")}(\\u002f|$)/]`;
            return [`ImportExpression > Literal${literal}`, `TSImportType Literal${literal}`].map(
              (selector) => ({ selector, message: message(other) }),
            );
          }),
        ],
      },
    };
  }),
);
