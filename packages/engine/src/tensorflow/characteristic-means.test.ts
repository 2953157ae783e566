import { characteristicMeans } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, test } from "vitest";
import { needs } from "../../../../tools/backends.js";
import { createEngine } from "../create-engine.js";
import type { Engine, Step } from "../engine.js";

let started: Promise<Engine> | undefined;
afterAll(async () => {
  await (await started)?.dispose();
});

const upTo = (highest: number) => Array.from({ length: highest }, (_, i) => i + 1);

interface Case {
  readonly rows: number;
  readonly samples: number;
  readonly step: number;
  readonly harmonics: readonly number[];
  readonly x: (row: number, sample: number) => number;
}

/** What the means of each row are multiplied by before they are added up. */
const weight = (row: number, part: number) => Math.cos(1.3 * row + 0.7 * part);

/** Means, and the gradient of their weighted sum, on TensorFlow; each of two runs. */
async function onTensorFlow({ rows, samples, step: spacing, harmonics, x }: Case) {
  const parts = 2 * harmonics.length;
  const step: Step = (state, { values, weights }) => {
    const means = (y: tf.Tensor) => characteristicMeans(y, spacing, harmonics);
    const sum = (y: tf.Tensor) => tf.sum<tf.Scalar>(tf.mul(weights!, means(y)));
    return { state, outputs: { means: means(values!), gradient: tf.grad(sum)(values!) } };
  };
  started ??= createEngine("tensorflow");
  const compiled = await (
    await started
  ).compile(step, {
    state: {},
    inputs: { values: { shape: [rows, samples] }, weights: { shape: [rows, parts] } },
  });
  const inputs = {
    values: Float32Array.from({ length: rows * samples }, (_, i) =>
      x(Math.floor(i / samples), i % samples),
    ),
    weights: Float32Array.from({ length: rows * parts }, (_, i) =>
      weight(Math.floor(i / parts), i % parts),
    ),
  };
  const runs = [];
  for (let i = 0; i < 2; i++) {
    const { means, gradient } = await compiled.run(inputs);
    runs.push({ means: means!.data, gradient: gradient!.data });
  }
  await compiled.dispose();
  return { inputs, runs: runs as [(typeof runs)[0], (typeof runs)[0]] };
}

/** The definition in double precision, for rows that repeat their first `period` samples. */
function byDefinition(
  { rows, samples, step, harmonics }: Case,
  values: Float32Array,
  weights: Float32Array,
  period: number,
) {
  const parts = 2 * harmonics.length;
  const means = new Float64Array(rows * parts);
  const gradient = new Float64Array(rows * period);
  for (let row = 0; row < rows; row++)
    harmonics.forEach((harmonic, j) => {
      const at = row * parts + 2 * j;
      const t = harmonic * step;
      const [cosWeight, sinWeight] = [weights[at]!, weights[at + 1]!];
      let [cosines, sines] = [0, 0];
      for (let n = 0; n < period; n++) {
        const angle = t * values[row * samples + n]!;
        cosines += Math.cos(angle);
        sines += Math.sin(angle);
        gradient[row * period + n]! +=
          (t / samples) * (sinWeight * Math.cos(angle) - cosWeight * Math.sin(angle));
      }
      means.set([cosines / period, sines / period], at);
    });
  return { means, gradient };
}

/** The greatest distance, in units of the greatest entry wanted. */
function distance(got: ArrayLike<number>, wanted: (i: number) => number): number {
  let [greatest, apart] = [0, 0];
  for (let i = 0; i < got.length; i++) {
    greatest = Math.max(greatest, Math.abs(wanted(i)));
    const difference = Math.abs(got[i]! - wanted(i));
    if (!(difference <= apart)) apart = difference;
  }
  return apart / greatest;
}

const wave = (row: number, sample: number) => 3 * Math.sin(0.9 * sample + 1.7 * row);

const cases: readonly (Case & { readonly title: string; readonly period?: number })[] = [
  { title: "the sixteen knots of SIGReg", rows: 7, samples: 50, step: 0.1875, harmonics: upTo(16) },
  { title: "one knot", rows: 3, samples: 5, step: 0.5, harmonics: [1] },
  { title: "two knots, in any order", rows: 2, samples: 5, step: 0.5, harmonics: [2, 1] },
  { title: "a high knot alone", rows: 3, samples: 8, step: 0.25, harmonics: [11] },
  { title: "odd harmonics", rows: 3, samples: 9, step: 0.1, harmonics: [1, 3, 5, 7, 9, 11, 13] },
  { title: "one sample", rows: 4, samples: 1, step: 0.2, harmonics: upTo(5) },
  { title: "as many knots as are compiled", rows: 5, samples: 20, step: 0.1, harmonics: upTo(31) },
  { title: "more knots than are compiled", rows: 5, samples: 20, step: 0.1, harmonics: upTo(40) },
  { title: "more knots, in blocks", rows: 35, samples: 2048, step: 0.1, harmonics: upTo(40) },
].map((each) => ({ ...each, x: wave }));

describe("means of cosines and sines on TensorFlow", () => {
  test.for(cases)(
    "$title: value and gradient are those of the definition",
    async (each, context) => {
      needs("tensorflow", context);
      const { inputs, runs } = await onTensorFlow(each);
      const wanted = byDefinition(each, inputs.values, inputs.weights, each.samples);
      for (const { means, gradient } of runs) {
        expect(distance(means, (i) => wanted.means[i]!)).toBeLessThan(2e-6);
        expect(distance(gradient, (i) => wanted.gradient[i]!)).toBeLessThan(5e-6);
      }
    },
  );

  test("rows in several blocks, the last one shorter, are those of one block", async (context) => {
    needs("tensorflow", context);
    // 1024 rows of 1024 samples fill a block.
    const [samples, period] = [1024, 8];
    const each: Case = {
      rows: 2100,
      samples,
      step: 0.25,
      harmonics: [1, 2, 3, 4],
      x: (row, sample) => wave(row, sample % period),
    };
    const { inputs, runs } = await onTensorFlow(each);
    const wanted = byDefinition(each, inputs.values, inputs.weights, period);
    const place = (i: number) => Math.floor(i / samples) * period + (i % period);
    expect(distance(runs[0].means, (i) => wanted.means[i]!)).toBeLessThan(5e-6);
    expect(distance(runs[0].gradient, (i) => wanted.gradient[place(i)]!)).toBeLessThan(5e-6);
  });

  test("the first run, which compiles, gives the bits of the second", async (context) => {
    needs("tensorflow", context);
    const { runs } = await onTensorFlow(cases[0]!);
    expect(runs[0]).toEqual(runs[1]);
  });

  test("sines of samples just below zero keep their digits", async (context) => {
    needs("tensorflow", context);
    const { runs } = await onTensorFlow({ ...cases[0]!, step: 1, x: () => -(2 ** -10) });
    upTo(16).forEach((harmonic, j) => {
      const sine = Math.sin(-harmonic * 2 ** -10);
      expect(Math.abs(runs[0].means[2 * j + 1]! / sine - 1)).toBeLessThan(1e-6);
    });
  });

  test("a sample that is not a number spoils its own row and no other", async (context) => {
    needs("tensorflow", context);
    const each = cases[0]!;
    const x = (row: number, sample: number) =>
      row === 1 && sample === 2 ? NaN : wave(row, sample);
    const { runs } = await onTensorFlow({ ...each, x });
    const parts = 2 * each.harmonics.length;
    expect(Array.from(runs[0].means, Number.isNaN)).toEqual(
      Array.from({ length: each.rows * parts }, (_, i) => Math.floor(i / parts) === 1),
    );
    expect(Array.from(runs[0].gradient, Number.isNaN)).toEqual(
      Array.from({ length: each.rows * each.samples }, (_, i) => i === each.samples + 2),
    );
  });
});
