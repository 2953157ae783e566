/** The pictures of the report, as SVG text. Drawn with Observable Plot on a document of linkedom, so no browser is
 *  needed; lines and text take the colour of the page around them. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { ProbeAccuracies } from "./result.js";
import type { StepMetrics } from "./metrics-log.js";

/** Points in the plane with their classes. */
export interface Scatter {
  /** Row-major, N x 2. */
  readonly points: ArrayLike<number>;
  /** Class of each point. */
  readonly labels: Int32Array;
}

const terms = [
  { key: "loss", title: "total", colour: "#4269d0" },
  { key: "prediction", title: "prediction", colour: "#e8853a" },
  { key: "sigreg", title: "SIGReg", colour: "#3ca951" },
] as const;

/** What a chart is drawn for. A page scales its drawings, text included: one for a screen has ticks of half the size on a
 *  phone. */
export type ChartWidth = "wide" | "narrow";

/** Width of a drawing in pixels, at which its text is of 12; ticks along the steps; rows that its lines are of. */
const widths = {
  wide: { width: 760, ticks: 10, rows: 1000 },
  narrow: { width: 340, ticks: 4, rows: 340 },
} as const satisfies Record<ChartWidth, object>;

const stepAxis = (metrics: readonly StepMetrics[], most: number): Plot.ScaleOptions => ({
  label: "step",
  labelAnchor: "center",
  labelArrow: "none",
  labelOffset: 36,
  // No ticks between two steps.
  ticks: Math.max(1, Math.min(most, metrics.length - 1)),
});
const component = { labelAnchor: "center", labelArrow: "none", labelOffset: 40, ticks: 5 } as const;

/** The curves of the loss chart, for its legend. */
export const lossLegend: readonly { title: string; colour: string }[] = terms;

/** Loss and its two terms against the step, on a logarithmic scale: every step faint, their running mean on top. */
export function lossChart(metrics: readonly StepMetrics[], drawnFor: ChartWidth): string {
  const { width, ticks, rows: most } = widths[drawnFor];
  const steps = thinned(metrics, most);
  const rows = steps.flatMap((row) =>
    // A term of zero has no place on a logarithmic axis.
    terms
      .filter(({ key }) => row[key] > 0)
      .map(({ key, title }) => ({ step: row.step, title, value: row[key] })),
  );
  const window = Math.max(1, Math.round(steps.length / 40));
  return svg({
    width,
    height: drawnFor === "wide" ? 320 : 260,
    marginLeft: 56,
    marginBottom: 40,
    x: stepAxis(metrics, ticks),
    y: { type: "log", label: "value (log scale)", grid: true, ticks: 6, tickFormat: ".3~g" },
    color: { domain: terms.map(({ title }) => title), range: terms.map(({ colour }) => colour) },
    marks: [
      Plot.line(rows, {
        x: "step",
        y: "value",
        z: "title",
        stroke: "title",
        strokeOpacity: 0.25,
        strokeWidth: 1,
      }),
      Plot.line(
        rows,
        Plot.windowY(
          { k: window, anchor: "middle" },
          { x: "step", y: "value", z: "title", stroke: "title", strokeWidth: 2 },
        ),
      ),
    ],
  });
}

/** Learning rate against the step. */
export function learningRateChart(metrics: readonly StepMetrics[], drawnFor: ChartWidth): string {
  const { width, ticks, rows } = widths[drawnFor];
  return svg({
    width,
    height: 150,
    marginLeft: 56,
    marginBottom: 40,
    x: stepAxis(metrics, ticks),
    y: { label: "learning rate", grid: true, ticks: 3, tickFormat: String, zero: true },
    marks: [Plot.line(thinned(metrics, rows), { x: "step", y: "lr", stroke: "currentColor" })],
  });
}

/** Accuracies of the untrained and the trained encoder as bars. */
export function accuracyChart(
  probes: { untrained: ProbeAccuracies; trained: ProbeAccuracies },
  drawnFor: ChartWidth,
): string {
  const rows = (["linear", "knn"] as const).flatMap((probe) =>
    (["untrained", "trained"] as const).map((encoder) => ({
      name: `${probe === "linear" ? "linear" : "kNN"}, ${encoder}`,
      encoder,
      percent: 100 * probes[encoder][probe],
    })),
  );
  return svg({
    width: widths[drawnFor].width,
    height: 160,
    marginLeft: 120,
    marginRight: drawnFor === "wide" ? 60 : 44,
    marginBottom: 40,
    x: {
      label: "test accuracy, %",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 36,
      domain: [0, 100],
      grid: true,
      ticks: drawnFor === "wide" ? 10 : 4,
    },
    y: { label: null, domain: rows.map(({ name }) => name), tickSize: 0, padding: 0.25 },
    color: { domain: ["untrained", "trained"], range: ["#9498a0", "#4269d0"] },
    marks: [
      Plot.barX(rows, { x: "percent", y: "name", fill: "encoder" }),
      Plot.text(rows, {
        x: "percent",
        y: "name",
        text: ({ percent }: (typeof rows)[number]) => percent.toFixed(2),
        textAnchor: "start",
        dx: 5,
      }),
    ],
  });
}

/** Colour of class `index` of `count`. Ten classes get colours made to be told apart; more get a rainbow. */
export function classColour(index: number, count: number): string {
  return count <= distinct.length
    ? distinct[index]!
    : `hsl(${Math.round((360 * index) / count)} 65% 50%)`;
}

const distinct = [
  "#4269d0",
  "#efb118",
  "#ff725c",
  "#6cc5b0",
  "#3ca951",
  "#ff8ab7",
  "#a463f2",
  "#97bbf5",
  "#9c6b4e",
  "#9498a0",
];

/** Points coloured by class, both axes to the same scale. At most `most` points are drawn, evenly picked. */
export function scatterChart(
  { points, labels }: Scatter,
  classes: Int32Array,
  most = 2000,
): string {
  const stride = Math.max(1, Math.ceil(labels.length / most));
  const rows = Array.from({ length: Math.ceil(labels.length / stride) }, (_, i) => ({
    x: points[2 * i * stride]!,
    y: points[2 * i * stride + 1]!,
    label: labels[i * stride]!,
  }));
  // A few stray points may lie outside of what is shown: the picture is of the bulk.
  const reach =
    1.05 *
    quantile(
      rows.map(({ x, y }) => Math.max(Math.abs(x), Math.abs(y))),
      0.995,
    );
  const domain = reach > 0 ? [-reach, reach] : [-1, 1];
  return svg({
    width: widths.narrow.width,
    height: widths.narrow.width,
    margin: 8,
    marginLeft: 60,
    marginBottom: 48,
    x: { ...component, domain, label: "first component" },
    // Beside ticks such as -0.25.
    y: { ...component, domain, label: "second component", labelOffset: 56 },
    color: {
      type: "ordinal",
      domain: Array.from(classes),
      range: Array.from(classes, (_, i) => classColour(i, classes.length)),
    },
    marks: [
      Plot.frame({ strokeOpacity: 0.2 }),
      Plot.dot(rows, { x: "x", y: "y", fill: "label", r: 1.8, fillOpacity: 0.75, clip: true }),
    ],
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** At most about so many rows; of each group, the mean of the losses at its last step. */
function thinned(metrics: readonly StepMetrics[], most: number): StepMetrics[] {
  const size = Math.ceil(metrics.length / most);
  if (size <= 1) return [...metrics];
  return Array.from({ length: Math.ceil(metrics.length / size) }, (_, i) => {
    const group = metrics.slice(i * size, (i + 1) * size);
    const mean = (key: (typeof terms)[number]["key"]): number =>
      group.reduce((sum, row) => sum + row[key], 0) / group.length;
    return {
      ...group.at(-1)!,
      loss: mean("loss"),
      prediction: mean("prediction"),
      sigreg: mean("sigreg"),
    };
  });
}

function svg(options: Plot.PlotOptions): string {
  // Neither library's types stand without those of a browser, which this package must not ask of its users.
  const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as {
    document: never;
  };
  const chart = Plot.plot({
    ...options,
    document,
    className: "chart",
    style: { fontFamily: "inherit", fontSize: "12px", background: "transparent" },
  }) as unknown as { outerHTML: string };
  // Hundredths of a pixel are plenty and halve the file.
  return chart.outerHTML.replace(/="[^"]*"/g, (attribute) =>
    attribute.replace(/(\.\d\d)\d+/g, "$1"),
  );
}
