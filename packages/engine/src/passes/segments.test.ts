import { AllReduceMean } from "@lejepa/ops";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { newValue, type Graph, type GraphNode, type Literal, type Value } from "../graph/graph.js";
import { verify } from "../graph/verify.js";
import { segmentsOf as segmentsFor, type Segment } from "./segments.js";

/** Builds a graph over tfjs kernels by hand. */
class Sketch {
  readonly inputs: { name: string; value: Value }[] = [];
  readonly outputs: { name: string; value: Value }[] = [];
  readonly nodes: GraphNode[] = [];
  readonly literals = new Map<Value, Literal>();

  input(name: string, length: number): Value {
    const value = newValue([length], "float32");
    this.inputs.push({ name, value });
    return value;
  }

  number(uniform: number): Value {
    const value = newValue([1], "float32");
    this.literals.set(value, { uniform });
    return value;
  }

  node(op: string, inputs: readonly Value[], length?: number): Value {
    const output = newValue(
      [length ?? Math.max(...inputs.map(({ shape }) => shape[0]!))],
      "float32",
    );
    this.nodes.push({ op, domain: "tfjs", inputs, attributes: {}, outputs: [output] });
    return output;
  }

  average = (x: Value): Value => this.node(AllReduceMean, [x]);

  graph(outputs: Readonly<Record<string, Value>>): Graph {
    const { inputs, literals, nodes } = this;
    const ports = Object.entries(outputs).map(([name, value]) => ({ name, value }));
    const graph: Graph = { stage: "captured", inputs, outputs: ports, literals, nodes };
    verify(graph, "captured", "sketch");
    return graph;
  }
}

const segmentsOf = (graph: Graph): readonly Segment[] => segmentsFor(graph, "copies");
const ops = ({ graph }: Segment): string[] => graph.nodes.map(({ op }) => op);
const names = (ports: Graph["inputs"]): string[] => ports.map(({ name }) => name);

test("a graph that averages nothing is its only segment, untouched", () => {
  const g = new Sketch();
  const x = g.input("input/x", 4);
  const graph = g.graph({ "output/y": g.node("Exp", [x]) });
  const [only, ...others] = segmentsOf(graph);
  expect(others).toEqual([]);
  expect(only!.graph).toBe(graph);
  expect(only).toMatchObject({ takes: [], keeps: [], drops: [], averages: [] });
});

test("an average ends a segment, and its result is an input of those behind it", () => {
  const g = new Sketch();
  const x = g.input("input/x", 4);
  const mean = g.average(g.node("Exp", [x]));
  const segments = segmentsOf(g.graph({ "output/y": g.node("Add", [mean, x]) }));
  expect(segments.map(ops)).toEqual([["Exp"], ["Add"]]);
  const [first, second] = segments as [Segment, Segment];
  expect(first.averages).toEqual(["all-reduce mean 0"]);
  expect(names(first.graph.outputs)).toEqual(["output/all-reduce mean 0"]);
  expect(names(second.graph.inputs)).toEqual(["input/x", "input/all-reduce mean 0"]);
  expect(names(second.graph.outputs)).toEqual(["output/y"]);
  expect([first.keeps, second.takes, second.averages]).toEqual([[], [], []]);
});

test("averages of one level are one exchange, those of averages another", () => {
  const g = new Sketch();
  const x = g.input("input/x", 4);
  const a = g.average(g.node("Exp", [x]));
  const c = g.average(g.node("Sin", [a]));
  // Recorded last and still of the first level.
  const b = g.average(g.node("Cos", [x]));
  const segments = segmentsOf(g.graph({ "output/y": g.node("Add", [b, c]) }));
  expect(segments.map(ops)).toEqual([["Exp", "Cos"], ["Sin"], ["Add"]]);
  expect(segments.map(({ averages }) => averages)).toEqual([
    ["all-reduce mean 0", "all-reduce mean 2"],
    ["all-reduce mean 1"],
    [],
  ]);
});

test("what later segments use is kept until the last of them, and handed on once", () => {
  const g = new Sketch();
  const x = g.input("input/x", 4);
  const y = g.node("Exp", [x]);
  const a = g.average(y);
  const b = g.average(g.node("Add", [a, y]));
  const c = g.average(g.node("Sin", [b]));
  const [first, second, third, fourth] = segmentsOf(
    g.graph({ "output/z": g.node("Multiply", [g.node("Add", [c, y]), y]) }),
  ) as [Segment, Segment, Segment, Segment];
  expect([first.keeps, second.keeps, third.keeps, fourth.keeps]).toEqual([
    ["carried/0"],
    [],
    [],
    [],
  ]);
  expect([first.takes, second.takes, third.takes, fourth.takes]).toEqual([
    [],
    ["carried/0"],
    [],
    ["carried/0"],
  ]);
  expect([second.drops, third.drops, fourth.drops]).toEqual([[], [], ["carried/0"]]);
});

test("outputs and the next state leave by the last segment, wherever they are made", () => {
  const g = new Sketch();
  const s = g.input("state/s", 4);
  const unchanged = g.input("state/u", 2);
  const early = g.node("Exp", [s]);
  const mean = g.average(g.node("Sum", [early], 1));
  const segments = segmentsOf(g.graph({ "next/s": early, "next/u": unchanged, "output/m": mean }));
  expect(segments.map(ops)).toEqual([["Exp", "Sum"], []]);
  const last = segments[1]!.graph;
  expect(names(last.outputs)).toEqual(["next/s", "next/u", "output/m"]);
  expect(names(last.inputs)).toEqual(["state/u", "input/all-reduce mean 0", "carried/0"]);
  for (const { graph } of segments) verify(graph, "captured", "segments");
});

test("constants and views are repeated where they are used instead of handed on", () => {
  const g = new Sketch();
  const x = g.input("input/x", 4);
  const ones = g.node("Fill", [], 4);
  const half = g.node("Multiply", [ones, g.number(0.5)]);
  const y = g.node("Exp", [x]);
  const view = g.node("Reshape", [y]);
  const mean = g.average(g.node("Add", [view, half]));
  const segments = segmentsOf(
    g.graph({ "output/z": g.node("Multiply", [g.node("Add", [mean, half]), view]) }),
  );
  expect(segments.map(ops)).toEqual([
    ["Fill", "Multiply", "Exp", "Reshape", "Add"],
    ["Fill", "Multiply", "Reshape", "Add", "Multiply"],
  ]);
  expect(segments[1]!.takes).toEqual(["carried/0"]);
  expect(segments[0]!.graph.outputs.at(-1)!.value).toBe(y);
});

test("what only later segments use is computed there, unless that hands on more", () => {
  const g = new Sketch();
  const x = g.input("input/x", 4);
  const y = g.node("Exp", [x]);
  const mask = g.node("Step", [y]); // as large as y, which is handed on anyway
  const z = g.node("Sin", [y]);
  const sum = g.node("Sum", [z], 1); // a quarter of z
  const mean = g.average(y);
  const segments = segmentsOf(
    g.graph({
      "output/a": g.node("Multiply", [mean, mask]),
      "output/b": g.node("Multiply", [mean, y]),
      "output/c": g.node("Multiply", [mean, sum]),
    }),
  );
  expect(segments.map(ops)).toEqual([
    ["Exp", "Sin", "Sum"],
    ["Step", "Multiply", "Multiply", "Multiply"],
  ]);
  expect(segments[1]!.takes).toHaveLength(2);
});

describe("what is large", () => {
  /** 64 KiB. */
  const large = 1 << 14;
  const carriedBy = ({ graph }: Segment): Value[] =>
    graph.outputs.filter(({ name }) => name.startsWith("carried/")).map(({ value }) => value);

  test("is computed once more element by element from what is handed on anyway", () => {
    const g = new Sketch();
    const x = g.input("input/x", large);
    const u = g.node("Cos", [x]);
    const y = g.node("Relu", [g.node("Add", [u, g.number(1)])]);
    const mean = g.average(g.node("Sum", [y], 1));
    const [first, second] = segmentsOf(
      g.graph({
        "output/a": g.node("Multiply", [mean, y]),
        "output/b": g.node("Multiply", [mean, g.node("Step", [y])]),
        "output/c": g.node("Multiply", [mean, u]),
      }),
    ) as [Segment, Segment];
    expect(ops(first)).toEqual(["Cos", "Add", "Relu", "Sum"]);
    expect(carriedBy(first)).toEqual([u]);
    expect(ops(second)).toEqual(["Add", "Relu", "Multiply", "Step", "Multiply", "Multiply"]);
  });

  test("is handed on where that takes no copy", () => {
    const g = new Sketch();
    const u = g.node("Cos", [g.input("input/x", large)]);
    const y = g.node("Relu", [u]);
    const mean = g.average(g.node("Sum", [y], 1));
    const graph = g.graph({
      "output/a": g.node("Multiply", [mean, y]),
      "output/b": g.node("Multiply", [mean, u]),
    });
    expect(new Set(carriedBy(segmentsFor(graph, "references")[0]!))).toEqual(new Set([u, y]));
    expect(carriedBy(segmentsFor(graph, "copies")[0]!)).toEqual([u]);
  });

  test("is handed on where it takes more bytes to start from", () => {
    const g = new Sketch();
    const [a, b] = [g.input("input/a", large), g.input("input/b", large)];
    const y = g.node("Add", [g.node("Cos", [a]), g.node("Cosh", [b])]);
    const mean = g.average(g.node("Sum", [y], 1));
    const [first] = segmentsOf(g.graph({ "output/z": g.node("Multiply", [mean, y]) })) as [Segment];
    expect(carriedBy(first)).toEqual([y]);
  });

  test("is one operand instead of the two results that come of it", () => {
    const g = new Sketch();
    const u = g.node("Cos", [g.input("input/x", large)]);
    const gate = g.node("Sigmoid", [u]);
    const product = g.node("Multiply", [u, gate]);
    const mean = g.average(g.node("Sum", [product], 1));
    const [first] = segmentsOf(
      g.graph({
        "output/a": g.node("Multiply", [mean, product]),
        "output/b": g.node("Multiply", [mean, gate]),
      }),
    ) as [Segment];
    expect(carriedBy(first)).toEqual([u]);
  });

  test.each([
    { length: 64, repeats: true },
    { length: 256, repeats: false },
  ])("is multiplied once more where the rows are short: $length, $repeats", (given) => {
    const g = new Sketch();
    const x = newValue([1024, given.length], "float32");
    const w = newValue([given.length, 256], "float32");
    g.inputs.push({ name: "input/x", value: x }, { name: "state/w", value: w });
    const y = newValue([1024, 256], "float32");
    const operands = { inputs: [x, w], inputNames: ["a", "b"], outputs: [y] };
    const attributes = { transposeA: false, transposeB: false };
    g.nodes.push({ op: "BatchMatMul", domain: "tfjs", attributes, ...operands });
    const mean = g.average(g.node("Sum", [y], 1));
    const [first, second] = segmentsOf(
      g.graph({ "output/z": g.node("Multiply", [mean, y], 1024 * 256) }),
    ) as [Segment, Segment];
    expect(carriedBy(first)).toEqual(given.repeats ? [] : [y]);
    expect(ops(second)).toEqual(given.repeats ? ["BatchMatMul", "Multiply"] : ["Multiply"]);
  });
});

describe.each([
  { length: 4, seeds: 40 },
  // Large enough for some of it to be repeated.
  { length: 1 << 14, seeds: 20 },
])("of random graphs over $length numbers", ({ length, seeds }) => {
  type Numbers = readonly number[];
  const kernels: Record<string, (operands: readonly Numbers[]) => Numbers> = {
    Fill: () => new Array<number>(length).fill(1),
    Neg: ([a]) => a!.map((v) => -v),
    Reshape: ([a]) => a!,
    Sum: ([a]) => [a!.reduce((total, v) => total + v, 0)],
    Add: ([a, b]) =>
      Array.from(
        { length: Math.max(a!.length, b!.length) },
        (_, i) => a![i % a!.length]! + b![i % b!.length]!,
      ),
    // Not a mean, so that one average taken for another shows.
    [AllReduceMean]: ([a]) => a!.map((v) => 0.5 * v + 1),
  };
  const evaluate = (graph: Graph, given: ReadonlyMap<string, Numbers>): Map<string, Numbers> => {
    const values = new Map<Value, Numbers>();
    for (const { name, value } of graph.inputs) values.set(value, given.get(name)!);
    for (const [value, literal] of graph.literals)
      values.set(value, [(literal as { uniform: number }).uniform]);
    for (const { op, inputs, outputs } of graph.nodes)
      values.set(outputs[0]!, kernels[op]!(inputs.map((input) => values.get(input!)!)));
    return new Map(graph.outputs.map(({ name, value }) => [name, values.get(value)!]));
  };
  const inTurns = (segments: readonly Segment[], given: ReadonlyMap<string, Numbers>) => {
    const known = new Map(given);
    let results = new Map<string, Numbers>();
    for (const segment of segments) {
      for (const name of segment.takes)
        if (!known.has(name)) throw new Error(`${name} was not kept, or dropped too soon`);
      results = evaluate(segment.graph, known);
      for (const name of segment.keeps) known.set(name, results.get(name)!);
      for (const name of segment.drops) known.delete(name);
      for (const name of segment.averages)
        known.set(`input/${name}`, kernels[AllReduceMean]!([results.get(`output/${name}`)!]));
    }
    expect([...known.keys()].filter((name) => name.startsWith("carried/"))).toEqual([]);
    return results;
  };

  test.each(Array.from({ length: seeds }, (_, seed) => seed))(
    "the segments of number %i compute what it computes",
    (seed) => {
      const random = seedrandom.alea(`${seed}`);
      const g = new Sketch();
      const values = [g.input("input/x", length), g.input("state/s", 1), g.number(0.25)];
      const pick = (): Value => values[Math.floor(random() * values.length)]!;
      const makers = [
        () => g.node("Fill", [], length),
        () => g.node("Neg", [pick()]),
        () => g.node("Reshape", [pick()]),
        () => g.node("Sum", [pick()], 1),
        () => g.node("Add", [pick(), pick()]),
        () => g.node("Add", [pick(), pick()]),
        () => g.average(pick()),
      ];
      for (let i = 0; i < 30; i++) values.push(makers[Math.floor(random() * makers.length)]!());
      const graph = g.graph({ "next/s": pick(), "output/a": pick(), "output/b": values.at(-1)! });
      const given = new Map([
        ["input/x", Array.from({ length }, (_, i) => [1, -2, 3, 0.5][i % 4]! + (i >> 2))],
        ["state/s", [0.75]],
      ]);
      const segments = segmentsOf(graph);
      for (const segment of segments) verify(segment.graph, "captured", "segments");
      expect(inTurns(segments, given)).toEqual(evaluate(graph, given));
      const longest = segments.flatMap(({ averages }) => averages);
      expect(new Set(longest).size).toBe(longest.length);
    },
  );
});
