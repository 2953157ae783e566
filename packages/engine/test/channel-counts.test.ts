/** Whatever the number of channels, onnxruntime's blocked layout gives the numbers of the gathered products. */
import { allReduceMean } from "@lejepa/ops";
import { createEngine, type Engine, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { namedBackends } from "../../../tools/backend-names.mjs";

type Images = tf.Tensor4D;

let blocked: Engine;
let gathered: Engine;
beforeAll(async () => {
  if (!namedBackends.includes("onnx")) return;
  const processes = { rank: 0, size: 1, allReduceMean: () => undefined };
  const options = { threads: 1, thread: "main", processes } as const;
  blocked = await createEngine("onnx", { ...options, convolution: "blocked" });
  gathered = await createEngine("onnx", { ...options, convolution: "gathered" });
});
afterAll(async () => {
  await blocked?.dispose();
  await gathered?.dispose();
});

/** Values and gradients of a network of c channels: x [N, H, W, c] and filters by name. */
interface Network {
  readonly title: string;
  readonly filters: (c: number) => Readonly<Record<string, readonly number[]>>;
  readonly forward: (x: Images, w: Readonly<Record<string, tf.Tensor>>) => tf.Tensor;
}

const filter = (w: tf.Tensor | undefined): tf.Tensor4D => w as tf.Tensor4D;

/** A depthwise convolution with both its gradients, by tfjs's kernels. */
const depthwise = (x: Images, weights: tf.Tensor4D): Images =>
  tf.customGrad((x, weights, save) => {
    const geometry = { strides: 1, pad: "same", dilations: 1 };
    const run = (name: string, operands: object, more: object): Images =>
      tf.engine().runKernel(name, operands as tf.NamedTensorMap, { ...geometry, ...more });
    (save as tf.GradSaveFunc)([x as Images, weights as Images]);
    return {
      value: tf.depthwiseConv2d(x as Images, weights as Images, 1, "same"),
      gradFunc: (dy: tf.Tensor, [x, filter]: tf.Tensor[]) => [
        run("DepthwiseConv2dNativeBackpropInput", { dy, filter }, { inputShape: x!.shape }),
        run("DepthwiseConv2dNativeBackpropFilter", { x, dy }, { filterShape: filter!.shape }),
      ],
    };
  })(x, weights);

const networks: readonly Network[] = [
  {
    title: "a residual around two convolutions, with a shift and a scale for each channel",
    filters: (c) => ({ a: [3, 3, c, c], b: [1, 1, c, c], shift: [c], scale: [c] }),
    forward: (x, { a, b, shift, scale }) => {
      const inner = tf.relu<Images>(tf.add(tf.conv2d(x, filter(a), 1, "same"), shift!));
      return tf.relu(tf.add(tf.mul(tf.conv2d(inner, filter(b), 1, "same"), scale!), x));
    },
  },
  {
    title: "a convolution, an activation, flattened rows and a dense layer",
    filters: (c) => ({ a: [3, 3, c, c], dense: [4 * 6 * c, 3] }),
    forward: (x, { a, dense }) => {
      const y = tf.sigmoid(tf.conv2d(x, filter(a), 1, "same"));
      return tf.matMul(tf.reshape(y, [x.shape[0], -1]), dense as tf.Tensor2D);
    },
  },
  {
    title: "convolutions by a stride with a residual by a stride",
    filters: (c) => ({ a: [3, 3, c, c + 1], b: [3, 3, c + 1, c + 1], skip: [1, 1, c, c + 1] }),
    forward: (x, { a, b, skip }) => {
      const inner = tf.relu(tf.conv2d(x, filter(a), 2, "same"));
      const y = tf.conv2d(inner, filter(b), 1, "same");
      return tf.relu(tf.add(y, tf.conv2d(x, filter(skip), 2, "same")));
    },
  },
  {
    title: "channels joined, pooled by maximum and mean, and averaged over the image",
    filters: (c) => ({ a: [3, 3, c, c], b: [3, 3, 2 * c, c] }),
    forward: (x, { a, b }) => {
      const y = tf.conv2d(x, filter(a), 1, "same");
      const both = tf.concat([y, x], 3);
      const z = tf.maxPool(tf.conv2d(both, filter(b), 1, "same"), 2, 2, "same");
      return tf.mean(tf.mul(z, tf.avgPool(y, 2, 2, "valid")), [1, 2]);
    },
  },
  {
    title: "a depthwise convolution between pointwise ones, its channels split off",
    filters: (c) => ({ a: [1, 1, c, 2 * c], depth: [3, 3, 2 * c, 1], b: [1, 1, c, c] }),
    forward: (x, { a, depth, b }) => {
      const y = tf.relu6<Images>(tf.conv2d(x, filter(a), 1, "same"));
      const z = depthwise(y, filter(depth));
      const [first, second] = tf.split(z, 2, 3) as [Images, Images];
      return tf.add(tf.conv2d(tf.mul(first, second), filter(b), 1, "same"), x);
    },
  },
  {
    title: "channels normalised by statistics that cross an exchange",
    filters: (c) => ({ a: [3, 3, c, c], b: [3, 3, c, c] }),
    forward: (x, { a, b }) => {
      const y = tf.conv2d(x, filter(a), 1, "same");
      const mean = allReduceMean(tf.mean(y, [0, 1, 2]));
      const variance = allReduceMean(tf.mean(tf.square(tf.sub(y, mean)), [0, 1, 2]));
      const normal = tf.div(tf.sub(y, mean), tf.sqrt(tf.add(variance, 1e-3)));
      return tf.add(tf.conv2d(tf.relu<Images>(normal as Images), filter(b), 1, "same"), y);
    },
  },
  {
    title: "channels first around a convolution",
    filters: (c) => ({ a: [3, 3, c, c], b: [3, 3, c, c] }),
    forward: (x, { a, b }) => {
      const first = tf.transpose(tf.conv2d(x, filter(a), 1, "same"), [0, 3, 1, 2]);
      const last = tf.transpose(tf.exp<Images>(first), [0, 2, 3, 1]);
      return tf.conv2d(last, filter(b), 1, "same");
    },
  },
  {
    title: "zeros of the caller's own behind the last channel, which further ones meet",
    filters: (c) => ({ a: [3, 3, c, c], b: [3, 3, c + 3, 4] }),
    forward: (x, { a, b }) => {
      const y = tf.sigmoid<Images>(tf.conv2d(x, filter(a), 1, "same"));
      const none = [0, 0] as [number, number];
      return tf.conv2d(tf.pad(y, [none, none, none, [0, 3]]), filter(b), 1, "same");
    },
  },
];

/** Numbers without a pattern, as large as weights of the shape [.., inputs, outputs] are. */
const wave = (shape: readonly number[], key: number): Float32Array => {
  const scale = key === 0 ? 1 : 1 / Math.sqrt(sizeOf(shape.slice(0, -1)));
  const number = (i: number): number => Math.sin(12.9898 * (i + 1) + 78.233 * key);
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => scale * number(i));
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const stepOf =
  ({ forward }: Network): Step =>
  (_state, { x, ...w }) => {
    const names = Object.keys(w);
    let y!: tf.Tensor;
    const loss = (given: tf.Tensor, ...parameters: tf.Tensor[]): tf.Scalar => {
      y = tf.keep(
        forward(given as Images, Object.fromEntries(names.map((n, i) => [n, parameters[i]!]))),
      );
      const rates = tf.reshape(tf.cos(tf.range(0, y.size)), y.shape);
      return tf.sum(tf.mul(y, rates));
    };
    const gradients = tf.grads(loss)([x!, ...names.map((name) => w[name]!)]);
    return {
      state: {},
      outputs: Object.fromEntries([
        ["y", y],
        ...["x", ...names].map((name, i) => [`d${name}`, gradients[i]!] as const),
      ]),
    };
  };

async function results(network: Network, channels: number, engine: Engine) {
  const shapes = { x: [4, 4, 6, channels], ...network.filters(channels) };
  const entries = Object.entries(shapes);
  const compiled = await engine.compile(stepOf(network), {
    state: {},
    inputs: Object.fromEntries(entries.map(([name, shape]) => [name, { shape }])),
  });
  const inputs = entries.map(([name, shape], key) => [name, wave(shape, key)] as const);
  const outputs = await compiled.run(Object.fromEntries(inputs));
  await compiled.dispose();
  return outputs;
}

/** All up to a block and one more, and then some of each remainder. */
const counts = [...Array.from({ length: 17 }, (_, i) => i + 1), 20, 23, 24, 29, 31, 32, 34, 40];

describe.each(networks)("$title", (network) => {
  test.for(counts)("%i channels", async (channels, context) => {
    needs("onnx", context);
    const [found, wanted] = [
      await results(network, channels, blocked),
      await results(network, channels, gathered),
    ];
    for (const [name, { data }] of Object.entries(wanted)) {
      const scale = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(scale, name).toBeGreaterThan(0);
      const furthest = data.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - found[name]!.data[i]!)),
        0,
      );
      expect(furthest / scale, name).toBeLessThan(1e-4);
    }
  });
});
