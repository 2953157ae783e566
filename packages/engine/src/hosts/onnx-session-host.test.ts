import * as onnxruntime from "onnxruntime-node";
import type { InferenceSession } from "onnxruntime-node";
import { expect, test } from "vitest";
import { GraphBuilder } from "../graph/builder.js";
import { newValue } from "../graph/graph.js";
import { port } from "../graph/port.js";
import { encode } from "../onnx/encode.js";
import type { ModelPorts } from "../session-host.js";
import { OnnxSessionHost, type OnnxRuntime, type OnnxSettings } from "./onnx-session-host.js";

const { Tensor } = onnxruntime;
const settings: OnnxSettings = {
  engine: "onnx",
  threads: 1,
  memoryArena: true,
  provider: "cpu",
  state: "cpu",
};
const ports: ModelPorts = {
  entry: "step",
  reads: ["total"],
  writes: ["total"],
  outputs: ["double"],
  takes: [],
  keeps: [],
  drops: [],
  updates: [],
};
const x = { name: "x", shape: [2], data: Float32Array.of(1, 10) };

/** total' = total + x, double = 2 total'. */
function addingUp(): Uint8Array {
  const g = new GraphBuilder();
  const [total, added] = [newValue([2], "float32"), newValue([2], "float32")];
  const next = g.add(total, added);
  const inputs = [
    { name: port.state("total"), value: total },
    { name: port.input("x"), value: added },
  ];
  const outputs = [
    { name: port.nextState("total"), value: next },
    { name: port.output("double"), value: g.mul(next, g.uniform(2)) },
  ];
  return encode(g.finish(inputs, outputs));
}

/** onnxruntime on the CPU that keeps what it is asked to in buffers, as a graphics card does: `live` are those that have
 *  not been freed. To ask one of its tensors for data is an error, as it is fatal in onnxruntime-node 1.30. */
function withBuffers() {
  const live = new Map<object, Float32Array>();
  const seen = { live, options: {} as InferenceSession.SessionOptions };
  const create = async (model: Uint8Array, options: InferenceSession.SessionOptions) => {
    seen.options = options;
    const { preferredOutputLocation: stays = {}, ...others } = options;
    const session = await onnxruntime.InferenceSession.create(model, {
      ...others,
      executionProviders: ["cpu"],
    });
    return {
      release: () => session.release(),
      run: async (feeds: Record<string, onnxruntime.Tensor>) => {
        const given = Object.entries(feeds).map(([name, tensor]) => [
          name,
          tensor.location === "cpu"
            ? tensor
            : new Tensor("float32", live.get(tensor.gpuBuffer)!, tensor.dims),
        ]);
        const results = await session.run(Object.fromEntries(given) as typeof feeds);
        const kept = Object.entries(results).map(([name, { dims, data }]) =>
          name in (stays as object)
            ? [name, buffered(data as Float32Array, dims)]
            : [name, results[name]],
        );
        return Object.fromEntries(kept) as typeof results;
      },
    };
  };
  const buffered = (data: Float32Array, dims: readonly number[]) => {
    const buffer = {} as onnxruntime.Tensor["gpuBuffer"];
    live.set(buffer, data.slice());
    return Tensor.fromGpuBuffer(buffer, {
      dataType: "float32",
      dims,
      dispose: () => void live.delete(buffer),
    });
  };
  return { seen, runtime: { InferenceSession: { create }, Tensor } as unknown as OnnxRuntime };
}

test("a state in buffers stays there from run to run, and those of the state before are freed", async () => {
  const { seen, runtime } = withBuffers();
  const host = new OnnxSessionHost(runtime, {
    ...settings,
    provider: "webgpu",
    state: "gpu-buffer",
  });
  const session = await host.open(addingUp(), ports);
  expect(seen.options).toMatchObject({
    executionProviders: ["webgpu"],
    preferredOutputLocation: { "next/total": "gpu-buffer" },
  });
  const state = await host.createState({ total: { shape: [2], data: Float32Array.of(0, 1) } }, [
    session,
  ]);
  const doubles = [];
  for (let i = 0; i < 3; i++) doubles.push([...(await host.run(session, state, [x])).double!.data]);
  expect(doubles).toEqual([
    [2, 22],
    [4, 42],
    [6, 62],
  ]);
  expect(seen.live.size).toBe(1);
  await host.freeState(state);
  expect(seen.live.size).toBe(0);
  await host.end();
});

test("a state in buffers is read and replaced as one in arrays is", async () => {
  const { seen, runtime } = withBuffers();
  const host = new OnnxSessionHost(runtime, { ...settings, state: "gpu-buffer" });
  const session = await host.open(addingUp(), ports);
  const state = await host.createState({ total: { shape: [2], data: Float32Array.of(0, 1) } }, [
    session,
  ]);
  const total = async () => [...(await host.readState(state)).total!.data];
  await host.run(session, state, [x]);
  expect(await total()).toEqual([1, 11]);
  expect(await total()).toEqual([1, 11]);
  await host.run(session, state, [x]);
  expect(await total()).toEqual([2, 21]);
  await host.run(session, state, [x]);
  const mine = Float32Array.of(7, 70);
  await host.writeState(state, { total: { shape: [2], data: mine } });
  await host.run(session, state, [x]);
  expect(await total()).toEqual([8, 80]);
  expect([...mine]).toEqual([7, 70]);
  await host.end();
  expect(seen.live.size).toBe(0);
});

test("a host that was given no profiler says so", async () => {
  const host = new OnnxSessionHost(onnxruntime, settings);
  const session = await host.open(addingUp(), ports);
  const state = await host.createState({ total: { shape: [2], data: new Float32Array(2) } }, [
    session,
  ]);
  await expect(host.profile(session, state, addingUp(), [x], 1)).rejects.toMatchObject({
    code: "no-profile",
  });
  await host.end();
});
