import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { openRun, train } from "@lejepa/trainer";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stripes, tiny } from "./toy-dataset.js";

// A run of `tiny` on `stripes()` that was interrupted after 7 of its 12 steps by version 0.1.0 at commit 457aca6, when a
// checkpoint was replaced by renaming its folder and runs had no lock. Its numbers are cut to 2 bits behind the leading
// one, so that they compress.
const stored = join(import.meta.dirname, "stored-run");

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lejepa-stored-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** Unpacks the checkpoint into folders of these names; bytes of the model that are there, for each. */
function unpack(folders: Readonly<Record<string, number>>): string {
  const run = join(scratch, "run");
  mkdirSync(run);
  for (const name of ["config.json", "metrics.jsonl"])
    copyFileSync(join(stored, name), join(run, name));
  for (const [folder, length] of Object.entries(folders)) {
    mkdirSync(join(run, folder));
    for (const name of ["model.safetensors", "training.safetensors"]) {
      const bytes = gunzipSync(readFileSync(join(stored, `${name}.gz`)));
      writeFileSync(join(run, folder, name), bytes.subarray(0, length));
    }
  }
  return run;
}

test.each([
  ["as it stopped", { checkpoint: Infinity }],
  [
    "as it died between its two renames",
    { "checkpoint.partial": 100, "checkpoint.previous": Infinity },
  ],
  ["as it died after them", { checkpoint: Infinity, "checkpoint.previous": Infinity }],
  ["as it died while it wrote", { checkpoint: Infinity, "checkpoint.partial": 100 }],
])("a run of an earlier version opens and goes on, %s", async (_name, folders) => {
  const run = unpack(folders);
  const opened = await openRun(run);
  expect(opened.step).toBe(7);
  expect(opened.result).toBeUndefined();
  // The first weights of the stored model, read by Python's safetensors 0.8.
  const weights = opened.parameters["stem.conv.weight"]!;
  expect(weights.shape).toEqual([4, 4, 1, 16]);
  expect([0, 16, 32, 48].map((i) => weights.data[i])).toEqual([0.25, -0.125, 0.09375, 0.125]);
  const result = await train(tiny, { run, resume: true, datasets: { train: stripes() } });
  expect(result).toMatchObject({ status: "finished", resumedFrom: 7, steps: 12 });
  expect(readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(12);
  expect(readdirSync(run).sort()).toEqual([
    "checkpoint",
    "config.json",
    "metrics.jsonl",
    "report.html",
    "result.json",
  ]);
});

test("a run of an earlier version whose first write failed can be started anew", async () => {
  const run = join(scratch, "run");
  mkdirSync(run);
  writeFileSync(join(run, "config.json.partial"), '{"source": "str');
  const result = await train({ ...tiny, steps: 1 }, { run, datasets: { train: stripes() } });
  expect(result.status).toBe("finished");
  expect(readdirSync(run)).not.toContain("config.json.partial");
});

test("a file of the user's that is named like one that was not finished is kept", async () => {
  const run = join(scratch, "run");
  mkdirSync(run);
  writeFileSync(join(run, "thesis.txt.partial"), "do not touch");
  const started = train(tiny, { run, datasets: { train: stripes() } });
  await expect(started).rejects.toMatchObject({ code: "not-a-run" });
  expect(readdirSync(run)).toEqual(["thesis.txt.partial"]);
});
