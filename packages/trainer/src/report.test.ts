import { expect, test } from "vitest";
import { mnistPreset } from "./presets/mnist.js";
import { reportHtml } from "./report.js";
import type { TrainResult } from "./result.js";
import type { RunRecord } from "./run-record.js";

const config = { ...mnistPreset, source: "<b>mine</b> & yours" };

const result: TrainResult = {
  status: "finished",
  run: "/runs/a",
  steps: 3000,
  seconds: 3725,
  engine: "onnx",
  engineDescription: "a machine",
  resumedFrom: null,
  phases: { load: 1, compile: 2, train: 3600, probe: 122 },
  dataWaitSeconds: 0,
  probes: null,
};

const fingerprint = {
  name: "mine",
  count: 60_000,
  size: "28 x 24 to 28",
  channels: 1,
  values: "bytes" as const,
  labelled: false,
  sampled: 256,
  hash: "0123456789abcdef".repeat(4),
  pixels: "",
  labels: "",
};
const record: RunRecord = {
  begun: "2026-11-30T07:20:59.000Z",
  inCode: [],
  data: [{ fromStep: 0, train: fingerprint }],
  extensions: [],
};
const about = { config, record, parameterCounts: { encoder: 42_336, projector: 37_136 } };

const metrics = Array.from({ length: 3000 }, (_, i) => ({
  step: i + 1,
  loss: 2 + Math.sin(i),
  prediction: 0,
  sigreg: 1,
  lr: 0.001,
  imagesPerSecond: 1234,
  dataWaitSeconds: 0,
  seconds: i,
}));

test("text from outside is shown, not interpreted", () => {
  const html = reportHtml({ ...about, metrics: [], result, picture: undefined });
  expect(html).toContain("&lt;b&gt;mine&lt;/b&gt; &amp; yours");
  expect(html).not.toContain("<b>mine");
});

test("a long run is drawn with about a thousand points, a term of zero is left out", () => {
  const html = reportHtml({ ...about, metrics, result, picture: undefined });
  const wide = html.slice(html.indexOf('<div class="wide">'), html.indexOf('<div class="narrow">'));
  const paths = [...wide.matchAll(/<path d="(M[^"]+)" stroke="(#[0-9a-f]{6})"/g)];
  // Faint and strong lines of the total and of SIGReg, none of the prediction.
  expect(paths.map((path) => path[2]).sort()).toEqual(["#3ca951", "#3ca951", "#4269d0", "#4269d0"]);
  expect(paths[0]![1]!.split("L").length).toBe(1000);
  expect(html).toContain("1 h 2 min");
  expect(html.length).toBeLessThan(200_000);
});

test("an interrupted run says so", () => {
  const html = reportHtml({
    ...about,
    metrics: metrics.slice(0, 5),
    result: { ...result, status: "interrupted", steps: 5, resumedFrom: 2 },
    picture: undefined,
  });
  expect(html).toContain("Interrupted after 5 steps.");
  expect(html).toContain("Resumed from step");
});

/** The rows of the summary, as text. */
const facts = (html: string): Record<string, string> =>
  Object.fromEntries(
    [...html.matchAll(/<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/g)].map(([, name, value]) => [
      name!,
      value!,
    ]),
  );

test("the summary says what was trained, on what, how long and since when", () => {
  const short = { ...result, steps: 1020 };
  expect(
    facts(reportHtml({ ...about, metrics: [], result: short, picture: undefined })),
  ).toMatchObject({
    Begun: "2026-11-30 07:20 UTC",
    Seed: "0",
    Encoder: "42,336 parameters",
    Projector: "37,136 parameters",
    Steps: "1,020",
    Images: "60,000 of 28×24–28×1 · 01234567",
  });
});

test("the summary tells of extensions, other data and what is left to do", () => {
  const other = { ...fingerprint, count: 65, hash: "f".repeat(64) };
  const html = reportHtml({
    ...about,
    config: { ...config, steps: 80 },
    record: {
      ...record,
      begun: undefined,
      data: [...record.data, { fromStep: 30, train: other, test: fingerprint }],
      extensions: [{ fromStep: 20, from: 60, to: 80 }],
    },
    metrics: [],
    result: { ...result, status: "interrupted", steps: 70 },
    picture: undefined,
  });
  expect(facts(html)).toMatchObject({
    Steps: "70 of 80",
    "… extended": "60 to 80, at step 20",
    "Images from step 30": "65 of 28×24–28×1 · ffffffff",
    "… to test": "60,000 of 28×24–28×1 · 01234567",
  });
  expect(facts(html)).not.toHaveProperty("Begun");
});

test("more classes than colours made to be told apart get a colour each", () => {
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % 30);
  const points = Float32Array.from({ length: 120 }, (_, i) => Math.sin(i));
  const scatter = { points, labels, explained: [0.5, 0.25] as const };
  const html = reportHtml({
    ...about,
    metrics: [],
    result,
    picture: { untrained: scatter, trained: scatter, classes: undefined },
  });
  expect(new Set(html.match(/background:hsl\([^)]*\)/g)).size).toBe(30);
  expect(html).toContain("50.0 % and 25.0 % of the variance");
});
