import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeSafetensors, encodeSafetensors, openRun, train } from "@lejepa/trainer";
import { afterEach, beforeEach, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { stripes, tiny } from "./toy-dataset.js";

const browser = "chromium";

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lejepa-elsewhere-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

const datasets = { train: stripes(), test: stripes(15) };

function python(script: string, ...args: string[]): string {
  return execFileSync("python3", ["-c", script, ...args], { encoding: "utf8" });
}

test("Python's safetensors reads the encoder: names, shapes, dtypes, metadata and values", async (context) => {
  needs("python", context);
  const run = join(scratch, "a");
  await train({ ...tiny, steps: 2 }, { run, datasets });
  const script = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], "pt") as f:
    sums = {name: [list(f.get_tensor(name).shape), str(f.get_tensor(name).dtype), f.get_tensor(name).double().sum().item()] for name in f.keys()}
    print(json.dumps({"metadata": f.metadata(), "tensors": sums}))`;
  const seen = JSON.parse(python(script, join(run, "checkpoint", "model.safetensors"))) as {
    metadata: Record<string, string>;
    tensors: Record<string, [number[], string, number]>;
  };
  expect(seen.metadata).toMatchObject({ format: "pt", step: "2" });
  const { encoder, parameters } = await openRun(run);
  for (const { name, shape } of encoder.parameters) {
    const [theirShape, dtype, sum] = seen.tensors[name]!;
    expect(dtype).toBe("torch.float32");
    expect([...theirShape].sort()).toEqual([...shape].sort());
    expect(sum).toBeCloseTo(
      parameters[name]!.data.reduce((total, value) => total + value, 0),
      6,
    );
  }
});

test("a file written by Python's safetensors is read, and one of ours survives a round trip", (context) => {
  needs("python", context);
  const [theirs, ours] = [join(scratch, "theirs.safetensors"), join(scratch, "ours.safetensors")];
  const script = `
import sys, torch
from safetensors.torch import load, save_file
save_file({"b": torch.arange(6.).reshape(2, 3), "a": torch.tensor(2.5), "none": torch.zeros(0, 4)}, sys.argv[1], {"by": "python"})
save_file(load(sys.stdin.buffer.read()), sys.argv[2])`;
  const tensors = {
    x: { shape: [2, 2], data: Float32Array.of(1, -0, 1e-38, 3.4e38) },
    scalar: { shape: [], data: Float32Array.of(7) },
  };
  execFileSync("python3", ["-c", script, theirs, ours], { input: encodeSafetensors(tensors) });
  expect(decodeSafetensors(readFileSync(theirs), theirs)).toEqual({
    metadata: { by: "python" },
    tensors: {
      a: { shape: [], data: Float32Array.of(2.5) },
      b: { shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
      none: { shape: [0, 4], data: new Float32Array(0) },
    },
  });
  expect(decodeSafetensors(readFileSync(ours), ours).tensors).toEqual(tensors);
});

test("a browser shows every picture of the report, with text that can be read on a phone too", async (context) => {
  needs("browser", context);
  const run = join(scratch, "a");
  await train({ ...tiny, steps: 4, probe: true }, { run, datasets });
  const measure = `<script>
    const shown = [...document.querySelectorAll("svg.chart")].filter((svg) => svg.getBoundingClientRect().width > 0);
    const scale = (svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const sizes = shown.flatMap((svg) => [...svg.querySelectorAll("text")].map((text) =>
      parseFloat(getComputedStyle(text).fontSize) * scale(svg)));
    parent.postMessage({
      width: innerWidth, overflow: document.documentElement.scrollWidth - innerWidth,
      charts: shown.length, dots: shown.flatMap((svg) => [...svg.querySelectorAll("circle")]).length,
      texts: sizes.length, least: Math.min(...sizes), greatest: Math.max(...sizes),
    }, "*");</script>`;
  const html = readFileSync(join(run, "report.html"), "utf8");
  writeFileSync(join(run, "measured.html"), html.replace("</body>", `${measure}</body>`));
  // A small and a usual phone, both sides of where the drawing changes, a screen. In frames, as windows are not so narrow.
  const widths = [340, 390, 720, 721, 1200];
  const frames = widths.map(
    (width) =>
      `<iframe src="measured.html" style="border:0;width:${width}px;height:900px"></iframe>`,
  );
  const collect = `<script>
    const seen = [];
    onmessage = ({ data }) => { seen.push(data); document.title = JSON.stringify(seen); };</script>`;
  writeFileSync(join(run, "frames.html"), `<title></title>${collect}${frames.join("")}`);
  const dom = execFileSync(
    browser,
    [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"],
      ...["--dump-dom", `file://${run}/frames.html`],
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 60_000 },
  );
  const all = JSON.parse(/<title>(.*)<\/title>/.exec(dom)![1]!) as Record<string, number>[];
  expect(all.map(({ width }) => width).sort()).toEqual([...widths].sort());
  for (const seen of all) {
    const where = `${seen["width"]}`;
    // Accuracies, loss, learning rate, and the embeddings before and after.
    expect(seen, where).toMatchObject({ charts: 5, dots: 2 * 15 });
    expect(seen["overflow"], where).toBeLessThanOrEqual(0);
    expect(seen["texts"], where).toBeGreaterThan(40);
    expect(seen["least"], where).toBeGreaterThanOrEqual(10);
    expect(seen["greatest"], where).toBeLessThanOrEqual(18);
  }
});
