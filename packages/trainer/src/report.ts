import { join } from "node:path";
import type { DatasetFingerprint } from "@lejepa/data";
import type { TrainConfig } from "./config.js";
import {
  accuracyChart,
  classColour,
  learningRateChart,
  lossChart,
  lossLegend,
  scatterChart,
  type ChartWidth,
  type Scatter,
} from "./charts.js";
import { replaceFile, type Guard } from "./durable-file.js";
import type { LejepaStep } from "./lejepa-step.js";
import type { StepMetrics } from "./metrics-log.js";
import type { TrainResult } from "./result.js";
import type { RunRecord } from "./run-record.js";

/** Test embeddings on their two principal components, before and after training. */
export interface EmbeddingPicture {
  /** As the encoder initialised. */
  readonly untrained: Scatter & { readonly explained: readonly [number, number] };
  /** As trained. */
  readonly trained: Scatter & { readonly explained: readonly [number, number] };
  /** Names of the classes by label, where the dataset has them. */
  readonly classes: readonly string[] | undefined;
}

/** What a report shows. */
export interface ReportContent {
  readonly config: TrainConfig;
  readonly record: RunRecord;
  /** Numbers that were trained. */
  readonly parameterCounts: LejepaStep["parameterCounts"];
  readonly metrics: readonly StepMetrics[];
  readonly result: TrainResult;
  readonly picture: EmbeddingPicture | undefined;
}

/** Writes `report.html` into a run folder. */
export async function writeReport(
  run: string,
  content: ReportContent,
  guard?: Guard,
): Promise<void> {
  await replaceFile(join(run, "report.html"), reportHtml(content), guard);
}

/** The report as one page that asks nothing of the network. */
export function reportHtml(content: ReportContent): string {
  const { config, metrics, result, picture } = content;
  const title = `${config.encoder} on ${config.source}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} · LeJEPA run</title>
<style>${style}</style>
</head>
<body>
<main>
<header>
<p class="kicker">LeJEPA run</p>
<h1>${escape(title)}</h1>
<p class="lead">${escape(leadOf(result, metrics))}</p>
</header>
${summary(content)}
${result.probes === null ? "" : accuracies(result.probes)}
${metrics.length === 0 ? "" : curves(metrics)}
${picture === undefined ? "" : pictureSection(picture)}
${configSection(config)}
</main>
</body>
</html>
`;
}

function leadOf({ status, steps, probes }: TrainResult, metrics: readonly StepMetrics[]): string {
  const done =
    status === "interrupted"
      ? `Interrupted after ${count(steps)} steps.`
      : `Finished after ${count(steps)} steps.`;
  if (probes !== null) {
    return `${done} A linear probe on the frozen features reaches ${percent(probes.trained.linear)} of the test set, nearest neighbours ${percent(probes.trained.knn)}.`;
  }
  const last = metrics.at(-1);
  return last === undefined ? done : `${done} The last loss was ${last.loss.toPrecision(4)}.`;
}

function summary({ config, record, parameterCounts, metrics, result }: ReportContent): string {
  const { phases, dataWaitSeconds, seconds, engineDescription, resumedFrom, steps } = result;
  const last = metrics.at(-1);
  const rows: [string, string][] = [
    ...(record.begun === undefined
      ? []
      : [["Begun", `${record.begun.slice(0, 16).replace("T", " ")} UTC`] as [string, string]]),
    ["Seed", String(config.seed)],
    ["Encoder", `${count(parameterCounts.encoder)} parameters`],
    ["Projector", `${count(parameterCounts.projector)} parameters`],
    ["Steps", steps === config.steps ? count(steps) : `${count(steps)} of ${count(config.steps)}`],
    ...record.extensions.map(({ fromStep, from, to }): [string, string] => [
      "… extended",
      `${count(from)} to ${count(to)}, at step ${count(fromStep)}`,
    ]),
    ...record.data.flatMap(({ fromStep, train, test }): [string, string][] => {
      const since = fromStep === 0 ? "" : ` from step ${count(fromStep)}`;
      return [
        [`Images${since}`, dataText(train)],
        ...(test === undefined ? [] : [[`… to test`, dataText(test)] as [string, string]]),
      ];
    }),
    ["Each step", `${config.batchSize} images × ${viewsText(config)}`],
    ["Engine", engineDescription],
    ...(last === undefined
      ? []
      : ([
          ["Last loss", last.loss.toPrecision(4)],
          ["… prediction", last.prediction.toPrecision(3)],
          ["… SIGReg", last.sigreg.toPrecision(3)],
          ["Throughput", `${count(Math.round(last.imagesPerSecond))} images/s`],
        ] satisfies [string, string][])),
    ["Wall time", duration(seconds)],
    ["… load", duration(phases.load)],
    ["… compile", duration(phases.compile)],
    ["… train", duration(phases.train)],
    ...(phases.train > 0
      ? [
          ["… of it waiting for images", percent(dataWaitSeconds / phases.train)] as [
            string,
            string,
          ],
        ]
      : []),
    ["… probe", duration(phases.probe)],
    ...(resumedFrom === null
      ? []
      : [["Resumed from step", count(resumedFrom)] as [string, string]]),
  ];
  const cells = rows.map(
    ([name, value]) => `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`,
  );
  return `<section><h2>Summary</h2><dl class="facts">${cells.join("")}</dl></section>`;
}

/** Count, size and the beginning of the fingerprint. */
function viewsText({ views, localViews }: TrainConfig): string {
  return localViews === undefined ? `${views} views` : `(${views} + ${localViews.count}) views`;
}

function dataText({ count: images, size, channels, hash }: DatasetFingerprint): string {
  const shape = `${size.replaceAll(" x ", "×").replaceAll(" to ", "–")}×${channels}`;
  return `${count(images)} of ${shape} · ${hash.slice(0, 8)}`;
}

function accuracies(probes: NonNullable<TrainResult["probes"]>): string {
  const row = (name: string, probe: "linear" | "knn"): string =>
    `<tr><th scope="row">${name}</th><td>${percent(probes.untrained[probe])}</td><td>${percent(probes.trained[probe])}</td></tr>`;
  return `<section><h2>Accuracy of the frozen features</h2>
<table><thead><tr><th scope="col">Probe</th><th scope="col">Untrained encoder</th><th scope="col">Trained encoder</th></tr></thead>
<tbody>${row("Linear (logistic regression)", "linear")}${row("Weighted kNN", "knn")}</tbody></table>
${figure((width) => accuracyChart(probes, width))}
<p class="note">Share of the test images. Training saw no labels; only the probes did.</p></section>`;
}

function curves(metrics: readonly StepMetrics[]): string {
  return `<section><h2>Loss</h2>
${legend(lossLegend)}
${figure((width) => lossChart(metrics, width))}
<p class="note">Faint: single steps. Strong: running mean. Total = the combination that is minimised.</p>
${figure((width) => learningRateChart(metrics, width))}</section>`;
}

/** A chart as it is drawn for a screen and for a phone, of which the page shows one. */
function figure(draw: (drawnFor: ChartWidth) => string): string {
  const drawings = (["wide", "narrow"] as const).map(
    (width) => `<div class="${width}">${draw(width)}</div>`,
  );
  return `<figure>${drawings.join("")}</figure>`;
}

function pictureSection({ untrained, trained, classes: names }: EmbeddingPicture): string {
  const classes = Int32Array.from(new Set(trained.labels)).sort();
  const items = Array.from(classes, (label, i) => ({
    title: names?.[label] ?? String(label),
    colour: classColour(i, classes.length),
  }));
  const panel = (name: string, scatter: EmbeddingPicture["trained"]): string =>
    `<figure><figcaption>${name} <span class="note">axes explain ${scatter.explained.map((share) => `${(100 * share).toFixed(1)} %`).join(" and ")} of the variance</span></figcaption>${scatterChart(scatter, classes)}</figure>`;
  return `<section><h2>Test embeddings on two principal components</h2>
${items.length <= 40 ? legend(items) : ""}
<div class="pair">${panel("Untrained", untrained)}${panel("Trained", trained)}</div></section>`;
}

function configSection(config: TrainConfig): string {
  return `<section><details><summary>Config</summary><pre>${escape(JSON.stringify(config, null, 2))}</pre></details></section>`;
}

function legend(items: readonly { title: string; colour: string }[]): string {
  const entries = items.map(
    ({ title, colour }) => `<li><span style="background:${colour}"></span>${escape(title)}</li>`,
  );
  return `<ul class="legend">${entries.join("")}</ul>`;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** Thousands apart: 60,000. */
const count = (value: number): string => value.toLocaleString("en-US");

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}

const style = `
:root { color-scheme: light dark; --ink: #1b1e23; --quiet: #5d6470; --line: #dfe2e7; --paper: #fff; --panel: #f6f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ec; --quiet: #9aa2af; --line: #343a44; --paper: #15181d; --panel: #1d2128; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 824px; margin: 0 auto; padding: 40px 32px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.01em; }
h2 { font-size: 17px; margin: 40px 0 12px; padding-top: 16px; border-top: 1px solid var(--line); }
.kicker { margin: 0 0 4px; color: var(--quiet); font-size: 12px; letter-spacing: 0.08em; text-transform: uppercase; }
.lead { margin: 0; font-size: 17px; }
.note { color: var(--quiet); font-size: 13px; margin: 4px 0 0; }
.facts { columns: 2 320px; column-gap: 32px; margin: 0; }
.facts div { break-inside: avoid; display: flex; justify-content: space-between; gap: 16px; padding: 5px 0; border-bottom: 1px solid var(--line); }
dt { color: var(--quiet); }
dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; margin-bottom: 12px; }
th, td { padding: 6px 12px; border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--quiet); font-weight: 500; font-size: 13px; }
tbody th { font-weight: 500; }
td:last-child { font-weight: 600; }
figure { margin: 8px 0; }
figcaption { font-weight: 600; margin-bottom: 2px; }
figcaption .note { display: block; margin: 0 0 4px; font-weight: 400; }
svg.chart { display: block; width: 100%; height: auto; overflow: visible; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(280px, 100%), 1fr)); gap: 16px; }
.pair figure { max-width: 480px; }
.narrow { display: none; max-width: 480px; }
@media (max-width: 720px) {
  main { padding: 24px 16px 48px; }
  .wide { display: none; }
  .narrow { display: block; }
}
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin: 0 0 8px; padding: 0; font-size: 13px; }
.legend span { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
summary { cursor: pointer; margin-top: 40px; color: var(--quiet); }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 14px 16px; overflow-x: auto; font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
`;
