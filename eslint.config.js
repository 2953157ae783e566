import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import globals from "globals";
import tseslint from "typescript-eslint";
import {
  allowedImports,
  frameworkAdapters,
  frameworks,
  packageNames,
} from "./tools/import-directions.mjs";

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
  // Examples are a user's code: of the packages they see what is published.
  {
    files: ["docs/examples/**/*.ts"],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: "^(\\.\\./)+(packages|tools)/",
              message: "An example imports packages by their names.",
            },
          ],
        },
      ],
    },
  },
  // Sources import siblings only in the directions of the design; tests may import any of them.
  ...Object.entries(allowedImports).flatMap(([folder, allowed]) => {
    const siblings = Object.entries(packageNames)
      .filter(([other]) => other !== folder && !allowed.includes(other))
      .map(([other, name]) => ({
        module: `^${name}(/|$)`,
        message: `packages/${folder} must not import packages/${other}: see tools/import-directions.mjs.`,
      }));
    const adapters = frameworkAdapters[folder];
    if (adapters === undefined) return [sourceRules(folder, "**/*.ts", siblings)];
    const message = `packages/${folder} must not import a framework: see tools/import-directions.mjs.`;
    const modules = [
      ...frameworks.map((name) => `^${name}`),
      ...adapters.map((name) => `^[./]+/${name}\\.js$`),
    ];
    return [
      sourceRules(folder, "**/*.ts", [
        ...siblings,
        ...modules.map((module) => ({ module, message })),
      ]),
      ...adapters.map((name) => sourceRules(folder, `${name}.ts`, siblings)),
    ];
  }),
);

/** Forbids modules, by regular expressions of their names, in some sources of a package. */
function sourceRules(folder, files, forbidden) {
  return {
    files: [`packages/${folder}/src/${files}`],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            ...forbidden.map(({ module, message }) => ({ regex: module, message })),
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
        ...forbidden.flatMap(({ module, message }) => {
          const literal = `[value=/${module.replaceAll("/", "\\u002f")}/]`;
          return [`ImportExpression > Literal${literal}`, `TSImportType Literal${literal}`].map(
            (selector) => ({ selector, message }),
          );
        }),
      ],
    },
  };
}
