/** Convolutions over strides, paddings, dilations and odd sizes, values and both gradients, held to their sums in float64. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compiledEngines, compiledNames } from "./compiled-engines.js";
import {
  convolutionGradients,
  convolved,
  resultShape,
  type Convolution,
} from "./convolution-in-float64.js";

const engineOf = compiledEngines();

type Images = Pick<Convolution, "x" | "filter">;

/** Odd sizes: one channel and several, one image and several, single rows and taps, blocks of channels and parts, filters
 *  as large as the image and larger, several filters to a channel (O, or Q of a depthwise one). */
const shapes: readonly Images[] = [
  { x: [1, 7, 3, 1], filter: [2, 2, 1, 2] },
  { x: [3, 2, 5, 1], filter: [1, 4, 1, 8] },
  { x: [4, 5, 4, 1], filter: [2, 2, 1, 1] },
  { x: [1, 11, 4, 2], filter: [1, 1, 2, 1] },
  { x: [2, 8, 6, 3], filter: [3, 3, 3, 1] },
  { x: [2, 6, 7, 5], filter: [3, 2, 5, 3] },
  { x: [1, 1, 1, 4], filter: [3, 3, 4, 2] },
  { x: [3, 5, 1, 1], filter: [1, 4, 1, 2] },
  { x: [1, 5, 9, 16], filter: [2, 4, 16, 1] },
  { x: [64, 3, 2, 8], filter: [4, 3, 8, 2] },
];
const pads: readonly Convolution["pad"][] = [
  "same",
  "valid",
  [
    [1, 1],
    [1, 1],
  ],
  [
    [0, 2],
    [1, 0],
  ],
  [
    [4, 1],
    [2, 4],
  ],
];
const strides = [
  [1, 1],
  [2, 2],
  [3, 3],
  [1, 2],
  [1, 3],
  [2, 1],
  [3, 1],
  [3, 2],
  [2, 4],
] as const;
const dilations = [
  [2, 2],
  [1, 3],
  [3, 2],
] as const;
const moves = [
  ...strides.map((strides) => ({ strides, dilations: [1, 1] as const })),
  ...dilations.map((dilations) => ({ strides: [1, 1] as const, dilations })),
];

const groups = (["full", "depthwise"] as const).flatMap((kind) =>
  moves.map((move) => ({
    title: `${kind}, strides ${move.strides.join(" and ")}, dilations ${move.dilations.join(" and ")}`,
    cases: shapes
      .flatMap((shape) => pads.map((pad): Convolution => ({ kind, ...shape, ...move, pad })))
      .filter((each) => resultShape(each).every((length) => length > 0)),
  })),
);

const run = (kernel: string, inputs: object, attributes: object): tf.Tensor =>
  tf
    .engine()
    .runKernel<tf.Tensor>(kernel, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);

/** By tfjs's kernels: the value, with bias and ReLU as one kernel and as three, and both gradients, which tfjs has of
 *  depthwise ones only where they are dilated. */
function results(
  c: Convolution,
  { x, w, b, dy }: Record<string, tf.Tensor>,
): Record<string, tf.Tensor> {
  const full = c.kind === "full";
  const pad = typeof c.pad === "string" ? c.pad : [[0, 0], ...c.pad, [0, 0]];
  const geometry = { strides: c.strides, pad };
  const forward = { ...geometry, dataFormat: "NHWC", dilations: c.dilations };
  const y = run(full ? "Conv2D" : "DepthwiseConv2dNative", { x, filter: w }, forward);
  const fused = run(
    full ? "FusedConv2D" : "FusedDepthwiseConv2D",
    { x, filter: w, bias: b },
    { ...forward, activation: "relu" },
  );
  const values = { y, fused, apart: tf.relu(tf.add(y, b!)) };
  if (full && c.dilations.some((dilation) => dilation > 1)) return values;
  const backward = { ...geometry, ...(full ? { dataFormat: "NHWC" } : { dilations: c.dilations }) };
  const kernel = full ? "Conv2DBackprop" : "DepthwiseConv2dNativeBackprop";
  return {
    ...values,
    dx: run(`${kernel}Input`, { dy, filter: w }, { ...backward, inputShape: c.x }),
    dw: run(`${kernel}Filter`, { x, dy }, { ...backward, filterShape: c.filter }),
    ...(full && {
      transposed: tf.conv2dTranspose(
        dy as tf.Tensor4D,
        w as tf.Tensor4D,
        [...c.x],
        [...c.strides],
        pad as tf.backend_util.ExplicitPadding,
      ),
    }),
  };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const numbers = (size: number, seed: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(1.7 * i + seed));

for (const name of compiledNames)
  test.for(groups)(`on ${name} a convolution is its sums: $title`, async ({ cases }, context) => {
    const engine = engineOf(name, context);
    const shapesOf = (c: Convolution) => ({
      x: c.x,
      w: c.filter,
      b: [resultShape(c)[3]],
      dy: resultShape(c),
    });
    const inputs = Object.fromEntries(
      cases.flatMap((c, i) =>
        Object.entries(shapesOf(c)).map(([key, shape]) => [`${i}/${key}`, { shape: [...shape] }]),
      ),
    );
    const data = Object.fromEntries(
      Object.entries(inputs).map(([key, { shape }], i) => [key, numbers(sizeOf(shape), i)]),
    );
    const compiled = await engine.compile(
      (_, given) => ({
        state: {},
        outputs: Object.fromEntries(
          cases.flatMap((c, i) => {
            const own = (key: string) => given[`${i}/${key}`]!;
            const operands = { x: own("x"), w: own("w"), b: own("b"), dy: own("dy") };
            return Object.entries(results(c, operands)).map(([key, y]) => [`${i}/${key}`, y]);
          }),
        ),
      }),
      { state: {}, inputs },
    );
    const got = await compiled.run(data);
    await compiled.dispose();
    const wrong: string[] = [];
    cases.forEach((c, i) => {
      const [x, w, b, dy] = ["x", "w", "b", "dy"].map((key) => data[`${i}/${key}`]!);
      const y = convolved(c, x!, w!);
      const gradients = convolutionGradients(c, x!, w!, dy!);
      const activated = y.map((value, k) => Math.max(0, value + b![k % b!.length]!));
      const expected: Record<string, Float64Array> = {
        ...{ y, fused: activated, apart: activated },
        ...{ dx: gradients.x, transposed: gradients.x, dw: gradients.filter },
      };
      for (const key of Object.keys(expected)) {
        const actual = got[`${i}/${key}`]?.data;
        if (actual === undefined) continue;
        const want = expected[key]!;
        const tolerance = 1e-5 * Math.max(1, ...want.map(Math.abs));
        if (
          actual.length !== want.length ||
          !want.every((v, k) => Math.abs(v - actual[k]!) <= tolerance)
        )
          wrong.push(`${key} of ${JSON.stringify(c)}`);
      }
    });
    expect(Object.keys(got).length).toBeGreaterThanOrEqual(3 * cases.length);
    expect(cases.length).toBeGreaterThan(30);
    expect(wrong).toEqual([]);
  });

test.for(compiledNames)(
  "on %s a convolution of no images or no channels is zero",
  async (name, context) => {
    const empties = { images: [0, 5, 4, 3], channels: [2, 5, 4, 0] };
    const compiled = await engineOf(name, context).compile(
      (_, { x, w }) => {
        const outputs = Object.entries(empties).flatMap(([key, size]) => {
          const part = tf.slice(x!, [0, 0, 0, 0], size) as tf.Tensor4D;
          const filter = tf.slice(w!, [0, 0, 0, 0], [2, 2, size[3]!, 4]) as tf.Tensor4D;
          const geometry = { strides: [1, 1], pad: "same" };
          const dy = tf.conv2d(part, filter, 1, "same");
          const depthwise = tf.depthwiseConv2d(part, filter, 1, "same");
          const full = { ...geometry, dataFormat: "NHWC" };
          const own = { ...geometry, dilations: [1, 1] };
          return Object.entries({
            y: dy,
            dx: run("Conv2DBackpropInput", { dy, filter }, { ...full, inputShape: part.shape }),
            dw: run(
              "Conv2DBackpropFilter",
              { x: part, dy },
              { ...full, filterShape: filter.shape },
            ),
            depthwise,
            depthwiseInput: run(
              "DepthwiseConv2dNativeBackpropInput",
              { dy: depthwise, filter },
              { ...own, inputShape: part.shape },
            ),
            depthwiseFilter: run(
              "DepthwiseConv2dNativeBackpropFilter",
              { x: part, dy: depthwise },
              { ...own, filterShape: filter.shape },
            ),
          }).map(([name, y]) => [`${key}/${name}`, tf.add(tf.sum(y), y.size)] as const);
        });
        return { state: {}, outputs: Object.fromEntries(outputs) };
      },
      { state: {}, inputs: { x: { shape: [2, 5, 4, 3] }, w: { shape: [2, 2, 3, 4] } } },
    );
    const got = await compiled.run({ x: numbers(120, 1), w: numbers(48, 2) });
    await compiled.dispose();
    const sizes = Object.fromEntries(Object.entries(got).map(([key, { data }]) => [key, data[0]]));
    expect(sizes).toEqual({
      ...{ "images/y": 0, "images/dx": 0, "images/dw": 48 },
      ...{ "images/depthwise": 0, "images/depthwiseInput": 0, "images/depthwiseFilter": 48 },
      ...{ "channels/y": 160, "channels/dx": 0, "channels/dw": 0 },
      ...{ "channels/depthwise": 0, "channels/depthwiseInput": 0, "channels/depthwiseFilter": 0 },
    });
  },
);

test.for(compiledNames)(
  "on %s a padded depthwise convolution with a bias is computed in a program of its own",
  async (name, context) => {
    const pad: tf.backend_util.ExplicitPadding = [
      [0, 0],
      [0, 0],
      [1, 3],
      [0, 0],
    ];
    const compiled = await engineOf(name, context).compile(
      ({ filter, bias }, { x }) => {
        const loss = (filter: tf.Tensor, bias: tf.Tensor): tf.Scalar => {
          const y = tf.fused.depthwiseConv2d({
            x: x as tf.Tensor4D,
            filter: filter as tf.Tensor4D,
            ...{ bias, strides: 1, pad: pad as never },
          });
          return tf.sum(
            tf.pad(y, [
              [0, 0],
              [0, 1],
              [2, 3],
              [0, 1],
            ]),
          );
        };
        const { value, grads } = tf.valueAndGrads(loss)([filter!, bias!]);
        const [filterGradient, biasGradient] = grads as [tf.Tensor, tf.Tensor];
        return {
          state: { filter: tf.sub(filter!, filterGradient), bias: tf.sub(bias!, biasGradient) },
          outputs: { value, filter: filterGradient, bias: biasGradient },
        };
      },
      {
        state: {
          filter: { shape: [1, 1, 1, 1], data: Float32Array.of(2) },
          bias: { shape: [1], data: Float32Array.of(0.5) },
        },
        inputs: { x: { shape: [1, 1, 1, 1] } },
      },
    );
    const got = await compiled.run({ x: Float32Array.of(3) });
    await compiled.dispose();
    const numbersOf = Object.entries(got).map(([key, { data }]) => [key, [...data]]);
    expect(Object.fromEntries(numbersOf)).toEqual({ value: [8.5], filter: [3], bias: [5] });
  },
);
