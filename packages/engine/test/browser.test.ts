import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as engineInNode from "@lejepa/engine";
import {
  createEngine,
  type BrowserEngineOptions,
  type Engine,
  type Step,
} from "@lejepa/engine/browser";
import * as tf from "@tensorflow/tfjs-core";
import { build, type Plugin } from "esbuild";
import * as onnxruntime from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

const browser = "chromium";
const root = join(import.meta.dirname, "../../..");

/** A module for a browser with all that it imports, and what of that is not for a browser: by importer. */
async function bundled(source: string, external: readonly string[] = []) {
  const ofNode: string[] = [];
  const plugin: Plugin = {
    name: "modules of Node",
    setup: (bundler) =>
      bundler.onResolve({ filter: /.*/ }, ({ path, importer }) => {
        // Other packages say in their manifests what stands for these in a browser.
        const ours = importer === "<stdin>" || !importer.includes("node_modules");
        if (!path.startsWith("node:") && !(ours && isBuiltin(path))) return undefined;
        ofNode.push(`${path} in ${importer}`);
        return { path, external: true };
      }),
  };
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: import.meta.dirname, sourcefile: "page.ts" },
    tsconfig: join(root, "tsconfig.json"),
    bundle: true,
    platform: "browser",
    format: "esm",
    write: false,
    metafile: true,
    logLevel: "silent",
    external: [...external],
    plugins: [plugin],
  });
  return { script: outputFiles[0]!.text, modules: Object.keys(metafile.inputs), ofNode };
}

describe("a bundle for a browser", () => {
  test("holds the engines that run there, without a module of Node and without TensorFlow's", async () => {
    const { modules, ofNode } = await bundled('export * from "@lejepa/engine/browser";');
    expect(ofNode).toEqual([]);
    const own = modules.filter((path) => path.startsWith("packages/engine/src/"));
    expect(own).toContain("packages/engine/src/session-program.ts");
    expect(own).toContain("packages/engine/src/eager-engine.ts");
    expect(own.filter((path) => path.includes("tensorflow"))).toEqual([]);
  });

  test("of what Node imports would be noticed", async () => {
    const { ofNode } = await bundled('export * from "@lejepa/engine";', ["onnxruntime-node"]);
    expect(ofNode.join()).toMatch(/node:worker_threads in .*worker-session-host\.ts/);
    expect(ofNode.join()).toMatch(/node:os in .*onnx-engine\.ts/);
  });

  test("runs a step in a browser on the eager engine", async (context) => {
    needs("browser", context);
    const { script } = await bundled(`
      import { createEngine } from "@lejepa/engine/browser";
      import * as tf from "@tensorflow/tfjs-core";
      const step = ({ w }, { x }) => ({ state: { w: tf.add(w, x) }, outputs: { twice: tf.mul(x, 2) } });
      const engine = await createEngine("eager", { backend: "cpu" });
      const state = { w: { shape: [2], data: Float32Array.of(1, 2) } };
      const compiled = await engine.compile(step, { state, inputs: { x: { shape: [2] } } });
      const { twice } = await compiled.run({ x: Float32Array.of(3, 4) });
      const { w } = await compiled.readState();
      document.title = JSON.stringify([[...twice.data], [...w.data], engine.description]);`);
    const folder = mkdtempSync(join(tmpdir(), "lejepa-browser-"));
    try {
      // An element of a document ends where its closing tag stands, in a string as well.
      const inline = script.replaceAll("</script", "<\\/script");
      const page = join(folder, "page.html");
      writeFileSync(page, `<title></title><script type="module">${inline}</script>`);
      const dom = execFileSync(
        browser,
        [
          ...["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"],
          ...["--dump-dom", `file://${page}`],
        ],
        {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
          timeout: 60_000,
          maxBuffer: 2 ** 26,
        },
      );
      const [twice, w, description] = JSON.parse(
        /<title>(.*)<\/title>/.exec(dom)![1]!,
      ) as unknown[];
      expect(twice).toEqual([6, 8]);
      expect(w).toEqual([4, 6]);
      expect(description).toMatch(/backend cpu/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Least squares by gradient descent. */
const step: Step = ({ w }, { x, y }) => {
  const loss = (weight: tf.Tensor) => tf.mean(tf.square(tf.sub(tf.dot(x!, weight), y!)));
  const { value, grads } = tf.valueAndGrads(loss)([w!]);
  return { state: { w: tf.sub(w!, tf.mul(grads[0]!, 0.2)) }, outputs: { loss: value } };
};

async function trained(engine: Engine) {
  const compiled = await engine.compile(step, {
    state: { w: { shape: [2], data: Float32Array.of(0, 0) } },
    inputs: { x: { shape: [3, 2] }, y: { shape: [3] } },
  });
  const inputs = { x: Float32Array.of(1, 0, 0, 1, 1, 1), y: Float32Array.of(1, 2, 3) };
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push((await compiled.run(inputs)).loss!.data[0]!);
  const { w } = await compiled.readState();
  await engine.dispose();
  return [...losses, ...w!.data];
}

test("the entry for browsers compiles a step for the runtime that it is given", async () => {
  const engine = await createEngine("auto", { runtime: onnxruntime });
  expect(engine).toMatchObject({ name: "onnx", description: "onnxruntime, cpu" });
  const numbers = await trained(engine);
  const inNode = await trained(await engineInNode.createEngine("onnx", { thread: "main" }));
  expect(numbers[0]).toBeCloseTo(14 / 3, 5);
  numbers.forEach((number, i) => expect(number).toBeCloseTo(inNode[i]!, 5));
});

test("without a runtime, auto is the eager engine and says why", async () => {
  const engine = await createEngine();
  expect(engine.name).toBe("eager");
  expect(engine.reason).toMatch(/no runtime/);
  expect((await trained(engine))[0]).toBeCloseTo(14 / 3, 5);
});

test.each([
  ["onnx without a runtime", "onnx", {}, "engine-unavailable"],
  ["TensorFlow", "tensorflow", {}, "unknown-engine"],
  ["a provider that there is not", "onnx", { provider: "cuda" }, "bad-option"],
  ["an option of Node's engine", "onnx", { threads: 2 }, "bad-option"],
])("the entry for browsers refuses %s", async (_what, name, options, code) => {
  await expect(createEngine(name as "onnx", options as BrowserEngineOptions)).rejects.toMatchObject(
    {
      name: "LejepaError",
      code,
    },
  );
});
