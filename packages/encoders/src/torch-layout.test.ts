import { expect, test } from "vitest";
import type { ParameterSpec } from "./encoder.js";
import { fromTorch, toTorch } from "./torch-layout.js";

const parameters: ParameterSpec[] = [
  { name: "conv.weight", shape: [1, 2, 2, 3], layout: "conv", decay: true, buffer: false }, // height 1, width 2, in 2, out 3
  { name: "fc.weight", shape: [2, 3], layout: "linear", decay: true, buffer: false },
  { name: "pos_embed", shape: [1, 2, 2], layout: "as-is", decay: false, buffer: false },
  // Decayed, and still no weight of a product.
  { name: "bias_table", shape: [2, 3], layout: "as-is", decay: true, buffer: false },
  { name: "bn.running_var", shape: [2], layout: "as-is", decay: false, buffer: true },
];
const count = (n: number) => Float32Array.from({ length: n }, (_, i) => i);
const ours = Object.fromEntries(
  parameters.map(({ name, shape }) => [
    name,
    { shape, data: count(shape.reduce((a, b) => a * b, 1)) },
  ]),
);

test("convolutions become OIHW and linear layers [out, in]; the rest stays", () => {
  const torch = toTorch({ parameters }, ours);
  // ours[0, w, i, o] = 6 w + 3 i + o, so torch[o, i, 0, w] runs over w, then i, then o.
  expect(torch["conv.weight"]).toEqual({
    shape: [3, 2, 1, 2],
    data: Float32Array.of(0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11),
  });
  expect(torch["fc.weight"]).toEqual({ shape: [3, 2], data: Float32Array.of(0, 3, 1, 4, 2, 5) });
  expect(torch["pos_embed"]).toEqual(ours["pos_embed"]);
  expect(torch["bias_table"]).toEqual(ours["bias_table"]);
  expect(torch["bn.num_batches_tracked"]).toEqual({ shape: [], data: Float32Array.of(0) });
  expect(Object.keys(torch)).toEqual([
    "conv.weight",
    "fc.weight",
    "pos_embed",
    "bias_table",
    "bn.running_var",
    "bn.num_batches_tracked",
  ]);
});

test("reading what was written gives the same parameters", () => {
  expect(fromTorch({ parameters }, toTorch({ parameters }, ours))).toEqual(ours);
});

test("names that the model lacks are left out", () => {
  const torch = {
    ...toTorch({ parameters }, ours),
    "fc_of_a_classifier.weight": ours["pos_embed"]!,
  };
  expect(Object.keys(fromTorch({ parameters }, torch))).toEqual(Object.keys(ours));
});

test("a missing or misshapen parameter is named", () => {
  expect(() => fromTorch({ parameters }, {})).toThrow(
    expect.objectContaining({ name: "LejepaError", code: "missing-parameter" }),
  );
  expect(() => fromTorch({ parameters }, ours)).toThrow(
    'Parameter "conv.weight" should have shape [3, 2, 1, 2], got [1, 2, 2, 3]',
  );
  const short = { ...ours, pos_embed: { shape: [1, 2, 2], data: count(3) } };
  expect(() => toTorch({ parameters }, short)).toThrow(
    expect.objectContaining({ code: "bad-parameter" }),
  );
});
