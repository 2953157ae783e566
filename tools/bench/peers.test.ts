import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { floatImages } from "@lejepa/data";
import { toTorch } from "@lejepa/encoders";
import { createEngine } from "@lejepa/engine";
import type { HostTensor } from "@lejepa/ops";
import { encodeSafetensors } from "@lejepa/trainer";
import { expect, test } from "vitest";
import { needs } from "../backends.js";
import { models, referenceStep } from "./reference-steps.js";

const steps = 5;
/** Few samples, so that the test stays quick. */
const batch = { views: 4, size: 16 };
const seed = 3;

test.for(models)(
  "the %s step and its PyTorch twin train to the same losses",
  async (model, context) => {
    needs("python", context);
    const definition = referenceStep(model, batch);
    const state = definition.initialState(seed);
    const batches = Array.from({ length: steps }, (_, i) => definition.batchAt(i));
    const images = batches.map(({ groups }) => floatImages(groups[0]));
    const moments = batches.map((_, step) => ({ step, learningRate: 1e-4 / (1 + step), seed }));
    const inputs = moments.map((moment, i) => definition.inputsAt(moment, batches[i]!));

    const engine = await createEngine("onnx");
    const compiled = await engine.compile(definition.step, { state, inputs: definition.inputs });
    const losses: number[] = [];
    for (const input of inputs) losses.push((await compiled.run(input)).loss!.data[0]!);
    await engine.dispose();

    const given: Record<string, HostTensor> = {
      images: stack(images, definition.inputs["images/0"]!.shape),
      directions: stack(
        inputs.map(({ directions }) => directions as Float32Array),
        definition.inputs["directions"]!.shape,
      ),
      rates: stack(
        moments.map(({ learningRate }) => Float32Array.of(learningRate)),
        [],
      ),
    };
    for (const part of [definition.encoder, definition.head])
      for (const [name, tensor] of Object.entries(toTorch(part, state)))
        given[`state.${name}`] = tensor;
    expect(relativeDifference(losses, twinLosses(model, given))).toBeLessThan(1e-4);
  },
);

/** What PyTorch makes of the same weights and inputs. */
function twinLosses(model: string, given: Record<string, HostTensor>): number[] {
  const folder = mkdtempSync(join(tmpdir(), "lejepa-twin-"));
  try {
    const file = join(folder, "given.safetensors");
    writeFileSync(file, encodeSafetensors(given));
    const script = join(import.meta.dirname, "peers", "reference_steps.py");
    const args = [script, "--model", model, "--mode", "eager", "--threads", "2", "--replay", file];
    return JSON.parse(execFileSync("python3", args, { encoding: "utf8" })) as number[];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function stack(parts: readonly Float32Array[], shape: readonly number[]): HostTensor {
  const data = new Float32Array(parts.length * parts[0]!.length);
  parts.forEach((part, i) => data.set(part, i * part.length));
  return { shape: [parts.length, ...shape], data };
}

function relativeDifference(ours: readonly number[], theirs: readonly number[]): number {
  expect(theirs).toHaveLength(ours.length);
  return Math.max(...ours.map((loss, i) => Math.abs(loss - theirs[i]!) / Math.abs(theirs[i]!)));
}
