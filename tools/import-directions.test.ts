import { readFileSync, readdirSync } from "node:fs";
import { ESLint } from "eslint";
import { expect, test } from "vitest";
import { allowedImports, packageNames } from "./import-directions.mjs";

const root = `${import.meta.dirname}/..`;
const folders = readdirSync(`${root}/packages`);

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

test("every package stands in the table of import directions", () => {
  expect(folders.sort()).toEqual(Object.keys(packageNames).sort());
  expect(Object.keys(allowedImports).sort()).toEqual(Object.keys(packageNames).sort());
});

test.each(folders)("the published dependencies of %s follow the directions", (folder) => {
  const manifest = JSON.parse(
    readFileSync(`${root}/packages/${folder}/package.json`, "utf8"),
  ) as Manifest;
  expect(manifest.name).toBe(packageNames[folder as keyof typeof packageNames]);
  const siblings = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter(
    (name) => Object.values<string>(packageNames).includes(name),
  );
  const allowed = allowedImports[folder as keyof typeof allowedImports].map(
    (other) => packageNames[other as keyof typeof packageNames],
  );
  expect(siblings.filter((name) => !allowed.includes(name))).toEqual([]);
});

test.each(["tensor", "sigreg", "data"])("%s depends on no framework", (folder) => {
  const manifest = JSON.parse(
    readFileSync(`${root}/packages/${folder}/package.json`, "utf8"),
  ) as Manifest;
  expect(Object.keys(manifest.dependencies ?? {}).join(" ")).not.toMatch(/tensorflow|onnx/);
});

test.each([
  'import { createEngine } from "@lejepa/engine";\nexport const planted = createEngine;',
  'export { vit } from "@lejepa/encoders";',
  'export * from "@lejepa/data/anything";',
  'export const planted = (): unknown => import("@lejepa/ops");',
  'export type Planted = import("@lejepa/data").Dataset;',
  'export * from "../../engine/src/index.js";',
  'export { main } from "lejepa";',
])("the lint rule refuses in sigreg: %s", async (planted) => {
  const eslint = new ESLint({ cwd: root });
  const filePath = `${root}/packages/sigreg/src/index.ts`;
  const [result] = await eslint.lintText(`${planted}\n`, { filePath });
  expect(result?.messages.map(({ ruleId }) => ruleId)).toContainEqual(
    expect.stringMatching(/^no-restricted-(imports|syntax)$/),
  );
  const [allowed] = await eslint.lintText('export * from "@lejepa/tensor";\n', { filePath });
  expect(allowed?.messages).toEqual([]);
});
