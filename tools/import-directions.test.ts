import { readFileSync, readdirSync } from "node:fs";
import { ESLint } from "eslint";
import { expect, test } from "vitest";
import {
  allowedImports,
  frameworkAdapters,
  frameworks,
  packageNames,
} from "./import-directions.mjs";

const root = `${import.meta.dirname}/..`;
const folders = readdirSync(`${root}/packages`);
const eslint = new ESLint({ cwd: root });

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

test.each(Object.keys(frameworkAdapters))("%s depends on no framework", (folder) => {
  const manifest = JSON.parse(
    readFileSync(`${root}/packages/${folder}/package.json`, "utf8"),
  ) as Manifest;
  const dependencies = Object.keys(manifest.dependencies ?? {});
  expect(
    dependencies.filter((name) => new RegExp(`^(${frameworks.join("|")})`).test(name)),
  ).toEqual([]);
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
  const filePath = `${root}/packages/sigreg/src/index.ts`;
  const [result] = await eslint.lintText(`${planted}\n`, { filePath });
  expect(result?.messages.map(({ ruleId }) => ruleId)).toContainEqual(
    expect.stringMatching(/^no-restricted-(imports|syntax)$/),
  );
  const [allowed] = await eslint.lintText('export * from "@lejepa/tensor";\n', { filePath });
  expect(allowed?.messages).toEqual([]);
});

const tfjs = 'export * as tf from "@tensorflow/tfjs-core";';
test.each([
  ["sigreg/src/index.ts", tfjs, "refused"],
  ["data/src/index.ts", 'export * from "onnxruntime-node";', "refused"],
  [
    "data/src/transforms/affine.ts",
    'export type { Tensor } from "@tensorflow/tfjs-core";',
    "refused",
  ],
  ["tensor/src/index.ts", tfjs, "refused"],
  [
    "tensor/src/contract.ts",
    'export type Planted = import("@tensorflow/tfjs-core").Tensor;',
    "refused",
  ],
  ["tensor/src/index.ts", 'export * from "./tfjs.js";', "refused"],
  ["tensor/src/conformance/cases.ts", 'export * from "../tfjs.js";', "refused"],
  ["tensor/src/index.ts", 'export * from "@jax-js/jax";', "refused"],
  ["tensor/src/index.ts", 'export * from "./jax.js";', "refused"],
  ["tensor/src/jax.ts", 'export * from "@jax-js/jax";', "allowed"],
  ["tensor/src/tfjs.ts", tfjs, "allowed"],
  ["tensor/src/tfjs.ts", 'export * from "./tfjs-gradients.js";', "allowed"],
  ["tensor/src/tfjs.ts", 'export * from "@lejepa/sigreg";', "refused"],
  ["engine/src/index.ts", tfjs, "allowed"],
])("in %s the lint rule has %s %s", async (file, planted, verdict) => {
  const [result] = await eslint.lintText(`${planted}\n`, { filePath: `${root}/packages/${file}` });
  const rules = result!.messages.map(({ ruleId }) => ruleId);
  if (verdict === "allowed") expect(rules).toEqual([]);
  else expect(rules).toContainEqual(expect.stringMatching(/^no-restricted-(imports|syntax)$/));
});
