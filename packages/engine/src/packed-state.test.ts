import { adamw, type HostTensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { capture } from "./capture/capture.js";
import { port } from "./graph/port.js";
import type { Step } from "./engine.js";
import type { Graph } from "./graph/graph.js";
import { onnxTarget } from "./kernels/table.js";
import { encode } from "./onnx/encode.js";
import { loadOnnxRuntime } from "./onnx-engine.js";
import { packed, planPacks, slotsOf, unpacked, withPacks } from "./packed-state.js";
import { compileGraph, onnxPasses, rewriteCaptured } from "./passes/run-passes.js";
import { OnnxSessionHost } from "./hosts/onnx-session-host.js";
import { resolveInputs } from "./step-values.js";
import { splitUpdates } from "./updates/host-updates.js";

const shapes: readonly (readonly number[])[] = [[2, 3], [4], [], [3, 1, 2]];
const names = shapes.flatMap((_, i) => [`p${i}`, `m${i}`, `v${i}`]);
const state: HostTensors = Object.fromEntries(
  names.map((name, i) => {
    const shape = shapes[Math.floor(i / 3)]!;
    const length = shape.reduce((product, own) => product * own, 1);
    return [
      name,
      { shape, data: Float32Array.from({ length }, (_, k) => 1 + Math.sin(k + 5 * i)) },
    ];
  }),
);
const inputs = resolveInputs({ rate: { shape: [] } });

/** AdamW of all parameters by twice themselves, whatever `after` makes of the new state. */
const stepWith =
  (after: (state: Record<string, tf.Tensor>) => ReturnType<Step>): Step =>
  (tensors, { rate }) => {
    const next: Record<string, tf.Tensor> = { ...tensors };
    shapes.forEach((_, i) => {
      const parameter = tensors[`p${i}`]!;
      const updated = adamw(
        {
          parameter,
          mean: tensors[`m${i}`]!,
          square: tensors[`v${i}`]!,
          gradient: tf.mul(parameter, 2),
          learningRate: rate!,
          correction1: rate!,
          correction2: rate!,
        },
        { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
      );
      next[`p${i}`] = updated.parameter;
      next[`m${i}`] = updated.mean;
      next[`v${i}`] = updated.square;
    });
    return after(next);
  };

const compiled = (step: Step): Graph =>
  compileGraph(
    rewriteCaptured(capture(step, state, inputs, onnxTarget).graph, {
      smallState: "packed",
      updates: "by-host",
    }),
    onnxTarget,
    onnxPasses(),
  );

const whole = compiled(stepWith((state) => ({ state, outputs: {} })));
const members = (letter: string) => shapes.map((_, i) => `${letter}${i}`);
const packs = ["p", "m", "v"].map((letter) => ({
  name: `${letter}0 and 3 more`,
  members: members(letter),
}));

/** The state behind a run of a graph, by the names that it has there. */
async function run(whole: Graph, state: HostTensors): Promise<HostTensors> {
  const { graph, updates } = splitUpdates(whole);
  const reads = Object.keys(state).filter((name) =>
    graph.inputs.some((each) => each.name === port.state(name)),
  );
  const written = graph.outputs.map(({ name }) => name);
  const host = new OnnxSessionHost(await loadOnnxRuntime(), {
    engine: "onnx",
    threads: 1,
    memoryArena: true,
    provider: "cpu",
    state: "cpu",
  });
  const session = await host.open(encode(graph), {
    entry: "step",
    reads,
    writes: Object.keys(state).filter((name) => written.includes(port.nextState(name))),
    outputs: [],
    takes: [],
    keeps: [],
    drops: [],
    updates,
  });
  // The host takes over what it is given.
  const given = Object.entries(state).map(([name, { shape, data }]) => [
    name,
    { shape, data: data.slice() },
  ]);
  const own = await host.createState(Object.fromEntries(given) as HostTensors, [session]);
  const fed = graph.inputs.some(({ name }) => name === port.input("rate"));
  const rate = { name: "rate", shape: [], data: Float32Array.of(0.5) };
  await host.run(session, own, fed ? [rate] : []);
  const after = await host.readState(own);
  await host.end();
  return after;
}

test("what one update of several tensors makes is packed, in its order", () => {
  expect(planPacks([whole], names)).toEqual(packs);
});

test("packs go in and out as they are: only parameters are split and gradients joined", async () => {
  const graph = withPacks(whole, packs, state);
  const ports = packs.map(({ name }) => name);
  expect(graph.inputs.map(({ name }) => name)).toEqual([
    "input/rate",
    ...ports.map((name) => `state/${name}`),
  ]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(ports.map((name) => `next/${name}`));
  const counts = (op: string) => graph.nodes.filter((node) => node.op === op).length;
  expect([counts("Split"), counts("Concat"), counts("Adamw")]).toEqual([1, 1, 1]);
  const next = unpacked(await run(graph, packed(state, packs)), packs, state);
  const wanted = await run(whole, state);
  expect(Object.keys(next)).toEqual(names);
  for (const name of names) {
    expect(next[name]!.shape).toEqual(state[name]!.shape);
    expect([...next[name]!.data]).toEqual([...wanted[name]!.data]);
    expect([...next[name]!.data]).not.toEqual([...state[name]!.data]);
  }
});

test("a graph that makes the members one by one joins them", async () => {
  const apart = compiled((tensors) => ({
    state: Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, tf.mul(x, 2)])),
    outputs: {},
  }));
  const graph = withPacks(apart, packs, state);
  const next = unpacked(await run(graph, packed(state, packs)), packs, state);
  for (const name of names)
    expect([...next[name]!.data]).toEqual([...state[name]!.data.map((value) => 2 * value)]);
});

test("a graph that has ports of some members only is fed the pack, and reads what it needs of it", () => {
  const { inputs: ports, ...reading } = compiled((state) => ({
    state,
    outputs: { double: tf.mul(state.p0!, 2) },
  }));
  const part = {
    ...reading,
    inputs: ports.filter(({ name }) => name === "state/p0"),
    outputs: reading.outputs.filter(({ name }) => name === "output/double"),
  };
  const graph = withPacks(part, [packs[0]!], state);
  expect(graph.inputs.map(({ name }) => name)).toEqual(["state/p0 and 3 more"]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(["output/double"]);
  expect(graph.nodes.map(({ op }) => op)).toEqual(["Split", "Reshape", "Mul"]);
});

test("nothing is packed where a step changes some members and leaves others alone", () => {
  const { outputs } = compiled((tensors) => ({
    state: { ...tensors, m1: tf.add(tensors.m1!, 1) },
    outputs: {},
  }));
  const one = { ...whole, outputs: outputs.filter(({ name }) => name === "next/m1") };
  const none = { ...whole, outputs: [] };
  expect(planPacks([whole, none], names)).toEqual(packs);
  expect(planPacks([whole, one], names)).toEqual([packs[0], packs[2]]);
});

test("a vector of which a part is no new state is not packed, nor are tensors that are used on", () => {
  const others = ["p", "m", "v"].map((letter) => members(letter).slice(1));
  const twice = compiled(
    stepWith((state) => ({ state: { ...state, m0: state.v0! }, outputs: {} })),
  );
  expect(planPacks([twice], names).map(({ members }) => members)).toEqual(others);
  const used = compiled(
    stepWith((state) => ({ state, outputs: { sum: tf.sum(tf.square(state.p0!)) } })),
  );
  expect(planPacks([used], names).map(({ members }) => members)).toEqual(others);
});

test("a pack is not called what some tensor is called already", () => {
  const taken = [...names, "p0 and 3 more"];
  expect(planPacks([whole], taken).map(({ name }) => name)).toEqual([
    "p0 and 3 more'",
    "m0 and 3 more",
    "v0 and 3 more",
  ]);
});

test("what is in no pack is kept by its own name, and is not copied", () => {
  const some = [packs[1]!];
  const slots = packed(state, some);
  expect(Object.keys(slots)).toEqual(slotsOf(names, some));
  expect(slots["p0"]!.data).toBe(state["p0"]!.data);
  expect([...slots["m0 and 3 more"]!.data]).toEqual(
    some[0]!.members.flatMap((name) => [...state[name]!.data]),
  );
  const back = unpacked(slots, some, state);
  expect(back).toEqual(state);
  expect(back["p0"]!.data).toBe(state["p0"]!.data);
});
