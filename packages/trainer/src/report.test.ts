import { expect, test } from "vitest";
import { mnistPreset } from "./presets/mnist.js";
import { reportHtml } from "./report.js";
import type { TrainResult } from "./result.js";

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
  const html = reportHtml({ config, metrics: [], result, picture: undefined });
  expect(html).toContain("&lt;b&gt;mine&lt;/b&gt; &amp; yours");
  expect(html).not.toContain("<b>mine");
});

test("a long run is drawn with about a thousand points, a term of zero is left out", () => {
  const html = reportHtml({ config, metrics, result, picture: undefined });
  const paths = [...html.matchAll(/<path d="(M[^"]+)" stroke="(#[0-9a-f]{6})"/g)];
  // Faint and strong lines of the total and of SIGReg, none of the prediction.
  expect(paths.map((path) => path[2]).sort()).toEqual(["#3ca951", "#3ca951", "#4269d0", "#4269d0"]);
  expect(paths[0]![1]!.split("L").length).toBe(1000);
  expect(html).toContain("1 h 2 min");
  expect(html.length).toBeLessThan(200_000);
});

test("an interrupted run says so", () => {
  const html = reportHtml({
    config,
    metrics: metrics.slice(0, 5),
    result: { ...result, status: "interrupted", steps: 5, resumedFrom: 2 },
    picture: undefined,
  });
  expect(html).toContain("Interrupted after 5 steps.");
  expect(html).toContain("Resumed from step");
});

test("more classes than colours made to be told apart get a colour each", () => {
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % 30);
  const points = Float32Array.from({ length: 120 }, (_, i) => Math.sin(i));
  const scatter = { points, labels, explained: [0.5, 0.25] as const };
  const html = reportHtml({
    config,
    metrics: [],
    result,
    picture: { untrained: scatter, trained: scatter, classes: undefined },
  });
  expect(new Set(html.match(/background:hsl\([^)]*\)/g)).size).toBe(30);
  expect(html).toContain("50.0 % and 25.0 % of the variance");
});
