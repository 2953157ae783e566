import { expect, test } from "vitest";
import { readProfile } from "./onnx-profile.js";

const run = (node: string, dur: number, peak: number) => ({
  cat: "Node",
  name: `${node}_kernel_time`,
  dur,
  args: { op_name: node.split("/")[0], mem_in_use_peak: `${peak}`, mem_arena_held: `${2 * peak}` },
});

test("a node costs the median of its runs after the first, and memory is the most of any", () => {
  const events = [
    { cat: "Session", name: "model_run", dur: 9999, args: {} },
    run("Add/0", 900, 10),
    run("Relu/1", 800, 30),
    run("Add/0", 7, 20),
    run("Relu/1", 3, 20),
    run("Add/0", 5, 20),
    run("Relu/1", 1, 20),
    run("Add/0", 100, 20),
  ];
  expect(readProfile(JSON.stringify(events))).toEqual({
    nodes: [
      { name: "Add/0", op: "Add", milliseconds: 0.007 },
      { name: "Relu/1", op: "Relu", milliseconds: 0.002 },
    ],
    peakBytes: 30,
    heldBytes: 60,
  });
});

test("a single run is all there is", () => {
  const { nodes } = readProfile(JSON.stringify([run("Add/0", 900, 10)]));
  expect(nodes).toEqual([{ name: "Add/0", op: "Add", milliseconds: 0.9 }]);
});
