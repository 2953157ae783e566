import { expect, test } from "vitest";
import { minCut, type FlowEdge } from "./min-cut.js";

const edge = (from: string, to: string, capacity: number): FlowEdge<string> => ({
  from,
  to,
  capacity,
});
const cutOf = (...edges: FlowEdge<string>[]): string[] =>
  minCut(edges, "s", "t").map(({ from, to }) => `${from}${to}`);

test("the narrowest place of a chain is cut", () => {
  expect(cutOf(edge("s", "a", 3), edge("a", "b", 1), edge("b", "t", 2))).toEqual(["ab"]);
});

test("of places that are as narrow the one nearest to the sink is cut", () => {
  expect(cutOf(edge("s", "a", 1), edge("a", "b", 1), edge("b", "t", 1))).toEqual(["bt"]);
});

test("what two branches start from is cut where it costs less than both", () => {
  const branches = [edge("b", "t", 3), edge("c", "t", 3), edge("a", "b", 9), edge("a", "c", 9)];
  expect(cutOf(edge("s", "a", 5), ...branches)).toEqual(["sa"]);
  expect(cutOf(edge("s", "a", 7), ...branches)).toEqual(["bt", "ct"]);
});

test("a flow that took a wrong way is sent back", () => {
  // The first shortest way, s a b t, has to give the edge a b back.
  const edges = [edge("s", "a", 1), edge("s", "b", 1), edge("a", "b", 1)];
  expect(cutOf(...edges, edge("b", "t", 1), edge("a", "c", 1), edge("c", "t", 1))).toEqual([
    "bt",
    "ct",
  ]);
});

test("edges that must not be cut are not, and where no others are that is an error", () => {
  expect(cutOf(edge("s", "a", Infinity), edge("a", "t", 1e9))).toEqual(["at"]);
  expect(() => cutOf(edge("s", "a", Infinity), edge("a", "t", Infinity))).toThrow(
    "no edge that may be cut",
  );
});

test("without a way from source to sink nothing is cut", () => {
  expect(cutOf(edge("s", "a", 1), edge("b", "t", 1))).toEqual([]);
});
