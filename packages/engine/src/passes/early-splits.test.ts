import { describe, expect, test } from "vitest";
import { newValue, sizeOf, type Graph, type Value } from "../graph/graph.js";
import { GraphBuilder } from "../graph/builder.js";
import { encode } from "../onnx/encode.js";
import { loadOnnxRuntime } from "../onnx-engine.js";
import { deadCode } from "./dead-code.js";
import { earlySplits } from "./early-splits.js";
import { runPasses } from "./run-passes.js";

/** Outputs y0, y1, .. of inputs x [2, 3] and z [3, 3]. */
function graphOf(build: (g: GraphBuilder, x: Value, z: Value) => readonly Value[]): Graph {
  const [x, z] = [newValue([2, 3], "float32"), newValue([3, 3], "float32")];
  const g = new GraphBuilder();
  const outputs = build(g, x, z).map((value, i) => ({ name: `y${i}`, value }));
  return g.finish(
    [
      { name: "x", value: x },
      { name: "z", value: z },
    ],
    outputs,
  );
}

async function evaluate(graph: Graph): Promise<number[][]> {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const session = await InferenceSession.create(encode(graph), { logSeverityLevel: 3 });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, value: { shape } }, i) => {
      const data = Float32Array.from({ length: sizeOf(shape) }, (_, k) => k + 10 * i + 1);
      return [name, new Tensor("float32", data, shape)];
    }),
  );
  const results = await session.run(feeds);
  await session.release();
  return graph.outputs.map(({ name }) => [...(results[name]!.data as Float32Array)]);
}

const ops = ({ nodes }: Graph): string[] => nodes.map(({ op }) => op);
const row = (g: GraphBuilder): Value => g.dense([1, 2, 4], [3], "float32");

describe("early splits", () => {
  test.each<{ title: string; build: Parameters<typeof graphOf>[0]; after: string[] }>([
    {
      title: "what is joined and split again is not split",
      build: (g, x, z) => g.split(g.concat([x, z], 0), [2, 3], 0),
      after: [],
    },
    {
      title: "arithmetic in between, with rows and scalars broadcast, is done in blocks",
      build: (g, x, z) => {
        const moved = g.sub(g.concat([x, z], 0), row(g));
        return g.split(g.mul(g.uniform(2), g.div(moved, row(g))), [2, 3], 0);
      },
      after: ["Sub", "Sub", "Div", "Div", "Mul", "Mul"],
    },
    {
      title: "an operand that was never joined is split itself; a joined one may come twice",
      build: (g, x, z) => {
        const joined = g.concat([x, z], 0);
        const other = g.gemm(
          g.dense([1, 2, 3, 4, 5], [5, 1], "float32"),
          g.reshape(row(g), [1, 3]),
        );
        return g.split(g.mul(g.add(joined, joined), other), [2, 3], 0);
      },
      after: ["Reshape", "Gemm", "Add", "Add", "Split", "Mul", "Mul"],
    },
    {
      title: "an operand of one row is broadcast to every block",
      build: (g, x, z) => {
        const one = g.slice(x, [0, 0], [1, 3]);
        return g.split(g.mul(g.concat([x, z], 0), one), [2, 3], 0);
      },
      after: ["Slice", "Mul", "Mul"],
    },
  ])("$title", async ({ build, after }) => {
    const graph = graphOf(build);
    const passed = runPasses(graph, [earlySplits, deadCode]);
    expect(ops(graph)).toContain("Split");
    expect(ops(passed)).toEqual(after);
    const wanted = await evaluate(graph);
    expect(await evaluate(passed)).toEqual(wanted);
    expect(new Set(wanted.flat()).size).toBeGreaterThan(10);
  });

  test.each<{ title: string; build: Parameters<typeof graphOf>[0] }>([
    {
      title: "the blocks are others",
      build: (g, x, z) => g.split(g.mul(g.concat([x, z], 0), row(g)), [3, 2], 0),
    },
    {
      title: "it is along another axis",
      build: (g, x, z) => g.split(g.mul(g.concat([x, z], 0), row(g)), [1, 2], 1),
    },
    {
      title: "its operand was joined along another axis",
      build: (g, x) => g.split(g.mul(g.concat([x, x], 1), g.uniform(2)), [1, 1], 0),
    },
    {
      title: "nothing was joined",
      build: (g, _x, z) => g.split(g.mul(g.mul(z, row(g)), z), [1, 2], 0),
    },
    {
      title: "vectors were laid end to end",
      build: (g, x, z) => {
        const flat = g.concat([g.reshape(x, [6]), g.reshape(z, [9])], 0);
        return g.split(g.mul(flat, g.uniform(2)), [6, 9], 0);
      },
    },
    {
      title: "something else than arithmetic comes in between",
      build: (g, x, z) => g.split(g.transpose(g.concat([x, z], 0), [1, 0]), [1, 2], 0),
    },
  ])("a split stays where $title", ({ build }) => {
    const graph = graphOf(build);
    expect(ops(runPasses(graph, [earlySplits]))).toEqual(ops(graph));
  });
});
