/** Models of the common layers of tfjs-layers, values and gradients, on the compiled engines as on tfjs's cpu backend. */
import "@tensorflow/tfjs-backend-cpu";
import { createEngine, pureModel, type Engine, type PureModel, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs } from "../../../tools/backends.js";

let eager: Engine;
const names = ["onnx", "tensorflow"] as const;
const engines: Partial<Record<(typeof names)[number] | "gathered", Engine>> = {};
beforeAll(async () => {
  await tf.setBackend("cpu");
  eager = await createEngine("eager", { backend: "cpu" });
  engines.onnx = await createEngine("onnx", { threads: 1 });
  engines.gathered = await createEngine("onnx", { threads: 1, convolution: "gathered" });
  if (namedBackends.includes("tensorflow"))
    engines.tensorflow = await createEngine("tensorflow", { thread: "main" });
});
afterAll(async () => {
  for (const engine of [eager, ...Object.values(engines)]) await engine.dispose();
});

const { layers } = tfl;
type Symbolic = tfl.SymbolicTensor;
type Layer = (x: Symbolic) => Symbolic;

interface ModelCase {
  readonly title: string;
  /** Shapes of the inputs without the batch. */
  readonly inputs: readonly (readonly number[])[];
  readonly build: (...inputs: Symbolic[]) => Symbolic;
  /** Whole numbers below this as inputs. */
  readonly tokens?: number;
  /** Values only: dropout draws numbers in training, and tfjs lacks some gradients. */
  readonly mode?: "eval";
  /** Images in the batch, 4 when left out. */
  readonly batch?: number;
}

const chain = (...steps: tfl.layers.Layer[]): Layer =>
  steps.reduce<Layer>(
    (before, layer) => (x) => layer.apply(before(x)) as Symbolic,
    (x) => x,
  );
const image = [6, 8, 3] as const;
const onImage = (title: string, ...steps: tfl.layers.Layer[]): ModelCase => ({
  title,
  inputs: [image],
  build: chain(...steps),
});
const onSquare = (title: string, ...steps: tfl.layers.Layer[]): ModelCase => ({
  title,
  inputs: [[5, 5, 3]],
  build: chain(...steps),
});
const sequence = [5, 4] as const;
const onSequence = (title: string, ...steps: tfl.layers.Layer[]): ModelCase => ({
  title,
  inputs: [sequence],
  build: chain(...steps),
});
const merged = (title: string, layer: tfl.layers.Layer, ...inputs: number[][]): ModelCase => ({
  title,
  inputs:
    inputs.length > 0
      ? inputs
      : [
          [4, 6],
          [4, 6],
          [4, 6],
        ],
  build: (...xs) => layer.apply(xs) as Symbolic,
});

const activations = [
  ...["relu", "relu6", "elu", "selu", "sigmoid", "softmax", "tanh", "softplus", "softsign"],
  ...["hardSigmoid", "swish", "mish", "gelu", "gelu_new", "linear"],
] as const;

const cases = (): ModelCase[] => [
  // Convolutions
  onImage("conv2d", layers.conv2d({ filters: 16, kernelSize: 3, padding: "same" })),
  onImage(
    "conv2d by 2 into conv2d, with bias and activation",
    layers.conv2d({ filters: 20, kernelSize: 3, strides: 2, padding: "same", activation: "relu" }),
    layers.conv2d({ filters: 12, kernelSize: [2, 3], activation: "tanh" }),
  ),
  onImage(
    "depthwiseConv2d",
    layers.conv2d({ filters: 16, kernelSize: 1 }),
    layers.depthwiseConv2d({ kernelSize: 3, padding: "same", activation: "relu" }),
    layers.depthwiseConv2d({ kernelSize: 3, strides: 2, depthMultiplier: 2 }),
  ),
  onImage("separableConv2d", layers.separableConv2d({ filters: 5, kernelSize: 3 })),
  onImage(
    "conv2dTranspose",
    layers.conv2dTranspose({ filters: 4, kernelSize: 3, strides: 2, padding: "same" }),
    layers.conv2dTranspose({ filters: 2, kernelSize: 2 }),
  ),
  onSequence("conv1d", layers.conv1d({ filters: 3, kernelSize: 3, padding: "same" })),
  // Pooling
  onImage("maxPooling2d", layers.maxPooling2d({ poolSize: 2 })),
  onImage(
    "maxPooling2d, overlapping",
    layers.maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }),
  ),
  onImage("averagePooling2d", layers.averagePooling2d({ poolSize: [2, 3], strides: [2, 1] })),
  onImage("globalAveragePooling2d", layers.globalAveragePooling2d({})),
  onImage("globalMaxPooling2d", layers.globalMaxPooling2d({})),
  onSequence("maxPooling1d", layers.maxPooling1d({ poolSize: 2 })),
  onSequence("averagePooling1d", layers.averagePooling1d({ poolSize: 2 })),
  onSequence("globalAveragePooling1d", layers.globalAveragePooling1d()),
  onSequence("globalMaxPooling1d", layers.globalMaxPooling1d()),
  // Normalisation
  onImage(
    "batchNormalization",
    layers.conv2d({ filters: 16, kernelSize: 3 }),
    layers.batchNormalization(),
  ),
  onSequence("batchNormalization of a sequence", layers.batchNormalization({ momentum: 0.5 })),
  onImage("layerNormalization", layers.layerNormalization()),
  onImage("layerNormalization over two axes", layers.layerNormalization({ axis: [2, 3] })),
  // Core
  onSequence("dense on every position", layers.dense({ units: 7, activation: "relu" })),
  {
    title: "embedding",
    inputs: [[6]],
    tokens: 9,
    build: chain(
      layers.embedding({ inputDim: 9, outputDim: 5 }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ),
  },
  onImage("flatten", layers.flatten(), layers.dense({ units: 3, useBias: false })),
  onImage("flatten, channels first", layers.flatten({ dataFormat: "channelsFirst" })),
  onImage("reshape", layers.reshape({ targetShape: [-1, 12] }), layers.dense({ units: 2 })),
  onImage("permute", layers.permute({ dims: [3, 1, 2] }), layers.dense({ units: 2 })),
  { title: "repeatVector", inputs: [[4]], build: chain(layers.repeatVector({ n: 3 })) },
  // tfjs's cpu backend has these gradients of one square image right only.
  { ...onSquare("upSampling2d", layers.upSampling2d({ size: [2, 3] })), batch: 1 },
  {
    ...onSquare("upSampling2d, bilinear", layers.upSampling2d({ interpolation: "bilinear" })),
    batch: 1,
  },
  onImage(
    "zeroPadding2d",
    layers.zeroPadding2d({
      padding: [
        [1, 0],
        [2, 3],
      ],
    }),
  ),
  onImage(
    "cropping2D",
    layers.cropping2D({
      cropping: [
        [1, 2],
        [0, 3],
      ],
    }),
  ),
  {
    ...onSequence("dropout", layers.dropout({ rate: 0.5 }), layers.dense({ units: 2 })),
    mode: "eval",
  },
  {
    ...onImage("gaussianNoise", layers.gaussianNoise({ stddev: 1 })),
    mode: "eval",
  },
  // Merging
  merged("add", layers.add()),
  merged("multiply", layers.multiply()),
  merged("average", layers.average()),
  merged("maximum", layers.maximum()),
  merged("minimum", layers.minimum()),
  merged("concatenate", layers.concatenate({ axis: -1 }), [4, 6], [4, 2]),
  merged("dot", layers.dot({ axes: 1 }), [6], [6]),
  merged(
    "dot, normalised, over an inner axis",
    layers.dot({ axes: [2, 2], normalize: true }),
    [4, 6],
    [3, 6],
  ),
  // Activations
  ...activations.map((activation) => onSequence(activation, layers.activation({ activation }))),
  onSequence("reLU with a limit", layers.reLU({ maxValue: 1 })),
  onSequence("leakyReLU", layers.leakyReLU({ alpha: 0.2 })),
  onSequence(
    "prelu",
    layers.prelu({ alphaInitializer: tfl.initializers.constant({ value: 0.3 }) }),
  ),
  { ...onSequence("thresholdedReLU", layers.thresholdedReLU({ theta: 0.5 })), mode: "eval" },
  // Recurrent, unrolled over the five positions
  onSequence("simpleRNN", layers.simpleRNN({ units: 3, recurrentInitializer: "glorotNormal" })),
  onSequence(
    "lstm",
    layers.lstm({ units: 3, recurrentInitializer: "glorotNormal", returnSequences: true }),
  ),
  onSequence(
    "gru",
    layers.gru({ units: 3, recurrentInitializer: "glorotNormal", goBackwards: true }),
  ),
  {
    title: "bidirectional lstm",
    inputs: [sequence],
    build: chain(
      layers.bidirectional({
        layer: layers.lstm({ units: 2, recurrentInitializer: "glorotNormal" }),
        mergeMode: "concat",
      }),
    ),
  },
  onSequence("timeDistributed", layers.timeDistributed({ layer: layers.dense({ units: 2 }) })),
];

const golden = (Math.sqrt(5) - 1) / 2;
const spread = (size: number, seed: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => 4 * (((i + 1) * golden + seed * 0.37) % 1) - 2);
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The outputs, and in training the gradients and what batch norm changes. */
function stepOf({ inputs, mode }: ModelCase, model: PureModel): Step {
  return (state, given) => {
    const xs = inputs.map((_, i) => given[`x${i}`]!);
    const outputs: Record<string, tf.Tensor> = {};
    model.apply(state, xs, "eval").outputs.forEach((y, i) => (outputs[`y${i}`] = y));
    if (mode === "eval") return { state, outputs };
    const weighted = (...ys: tf.Tensor[]) =>
      tf.addN(ys.map((y) => tf.sum(tf.mul(y, tf.reshape(tf.cos(tf.range(0, y.size)), y.shape)))));
    const names = model.trainable;
    const { gradients, updates } =
      names.length > 0
        ? model.lossAndGradients(state, xs, weighted)
        : { gradients: {}, updates: {} };
    for (const [name, gradient] of Object.entries(gradients)) outputs[`d/${name}`] = gradient;
    const floats = xs.filter(({ dtype }) => dtype === "float32");
    if (floats.length > 0)
      tf.grads((...args: tf.Tensor[]) => weighted(...model.apply(state, args, "train").outputs))(
        floats,
      ).forEach((dx, i) => (outputs[`dx${i}`] = dx));
    return { state: { ...state, ...updates }, outputs };
  };
}

describe.each(names)(
  "layers give on the %s engine what they give on tfjs's cpu backend",
  (name) => {
    test.for(cases())("$title", async (modelCase, context) => {
      needs(name, context);
      const { inputs, build, tokens, batch = 4 } = modelCase;
      const symbolic = inputs.map((shape) => tfl.input({ shape: [...shape] }));
      const layersModel = tfl.model({ inputs: symbolic, outputs: build(...symbolic) });
      layersModel.setWeights(
        layersModel.weights.map(({ shape, name }, i) => {
          const values = spread(sizeOf(shape as number[]), i).map((value) =>
            // A variance is positive.
            name.includes("variance") ? 1 + value / 4 : value / 3,
          );
          return tf.tensor(values, shape as number[]);
        }),
      );
      const model = pureModel(layersModel);
      const before = tf.memory().numTensors;
      const spec = {
        state: model.weights,
        inputs: Object.fromEntries(
          inputs.map((shape, i) => [
            `x${i}`,
            { shape: [batch, ...shape], ...(tokens ? { dtype: "int32" as const } : {}) },
          ]),
        ),
      };
      const data = Object.fromEntries(
        inputs.map((shape, i) => {
          const values = spread(batch * sizeOf(shape), i + 10);
          return [
            `x${i}`,
            tokens ? Int32Array.from(values, (v) => Math.floor(((v + 2) / 4) * tokens)) : values,
          ];
        }),
      );
      const step = stepOf(modelCase, model);
      const expected = await eager.compile(step, spec);
      const wanted = { ...(await expected.run(data)), ...(await expected.readState()) };
      await expected.dispose();
      const compared = name === "onnx" ? [engines.onnx!, engines.gathered!] : [engines.tensorflow!];
      for (const engine of compared) {
        const compiled = await engine.compile(step, spec);
        const got = { ...(await compiled.run(data)), ...(await compiled.readState()) };
        await compiled.dispose();
        expect(Object.keys(got)).toEqual(Object.keys(wanted));
        for (const [name, { shape, data: values }] of Object.entries(wanted)) {
          expect(got[name]!.shape, name).toEqual(shape);
          const scale = Math.max(1, ...values.map(Math.abs));
          values.forEach((value, i) => {
            const other = got[name]!.data[i]!;
            expect(
              Math.abs(value - other) <= 1e-5 * scale,
              `${name}[${i}]: ${value}, ${other}`,
            ).toBe(true);
          });
        }
      }
      expect(tf.memory().numTensors).toBe(before);
      layersModel.dispose();
    });
  },
);

/** Classifies by a small convolutional net whose normalisation keeps moving averages. */
const classifier = () =>
  tfl.sequential({
    layers: [
      layers.conv2d({ filters: 16, kernelSize: 3, inputShape: [8, 8, 1], useBias: false }),
      layers.batchNormalization({ momentum: 0.5 }),
      layers.reLU(),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 2 }),
    ],
  });

test.for(names)(
  "on %s a model is trained in a step, and predicts with the weights that come back",
  async (name, context) => {
    needs(name, context);
    const layersModel = classifier();
    const model = pureModel(layersModel);
    expect(model.trainable).toHaveLength(5);
    expect(Object.keys(model.weights)).toHaveLength(7);
    const step = await engines[name]!.compile(
      (state, { x, y }) => {
        const { loss, gradients, updates } = model.lossAndGradients(state, x!, (logits) =>
          tf.losses.softmaxCrossEntropy(y!, logits),
        );
        const trained = Object.fromEntries(
          Object.entries(gradients).map(([name, gradient]) => [
            name,
            tf.sub(state[name]!, tf.mul(gradient, 0.5)),
          ]),
        );
        return { state: { ...state, ...trained, ...updates }, outputs: { loss } };
      },
      { state: model.weights, inputs: { x: { shape: [8, 8, 8, 1] }, y: { shape: [8, 2] } } },
    );
    // Half of the images have stripes one way, half the other.
    const stripes = (i: number): number => {
      const [image, row, column] = [i >> 6, (i >> 3) & 7, i & 7];
      return ((image % 2 ? row : column) + (image >> 1)) % 2;
    };
    const data = {
      x: Float32Array.from({ length: 512 }, (_, i) => stripes(i)),
      y: Float32Array.from({ length: 16 }, (_, i) => ((i >> 1) % 2 === i % 2 ? 1 : 0)),
    };
    const losses = [];
    for (let i = 0; i < 60; i++) losses.push((await step.run(data)).loss!.data[0]!);
    expect(losses.at(-1)!).toBeLessThan(0.1 * losses[0]!);
    const before = tf.memory().numTensors;
    // Nothing has reached the model yet.
    const untouched = layersModel.weights.every((weight) =>
      weight
        .read()
        .dataSync()
        .every((value, i) => value === model.weights[weight.name]!.data[i]),
    );
    expect(untouched).toBe(true);
    const trained = await step.readState();
    const predictedLoss = () =>
      tf.tidy(() => {
        const logits = layersModel.predict(tf.tensor(data.x, [8, 8, 8, 1])) as tf.Tensor;
        return tf.losses.softmaxCrossEntropy(tf.tensor(data.y, [8, 2]), logits).dataSync()[0]!;
      });
    expect(predictedLoss()).toBeGreaterThan(0.5 * losses[0]!);
    tf.tidy(() =>
      layersModel.setWeights(
        layersModel.weights.map(({ name }) =>
          tf.tensor(trained[name]!.data, [...trained[name]!.shape]),
        ),
      ),
    );
    expect(predictedLoss()).toBeLessThan(0.1 * losses[0]!);
    expect(tf.memory().numTensors).toBe(before);
    layersModel.dispose();
  },
);

/** Every layer of tfjs-layers that draws numbers in training, alone and inside of others, and which layer is named. */
const drawing: readonly [title: string, layer: () => tfl.layers.Layer, named: RegExp][] = [
  ["dropout", () => layers.dropout({ rate: 0.5 }), /dropout_\w+" \(Dropout\)/],
  ["dropout with a seed", () => layers.dropout({ rate: 0.5, seed: 3 }), /\(Dropout\)/],
  ["dropout of steps", () => layers.spatialDropout1d({ rate: 0.5 }), /\(SpatialDropout1D\)/],
  ["gaussianNoise", () => layers.gaussianNoise({ stddev: 1 }), /\(GaussianNoise\)/],
  ["gaussianDropout", () => layers.gaussianDropout({ rate: 0.5 }), /\(GaussianDropout\)/],
  ["alphaDropout", () => layers.alphaDropout({ rate: 0.5 }), /\(AlphaDropout\)/],
  [
    "simpleRNN with dropout",
    () => layers.simpleRNN({ units: 2, dropout: 0.5, recurrentInitializer: "zeros" }),
    /\(SimpleRNN\)/,
  ],
  [
    "lstm with recurrent dropout",
    () => layers.lstm({ units: 2, recurrentDropout: 0.5, recurrentInitializer: "zeros" }),
    /\(LSTM\)/,
  ],
  [
    "bidirectional gru with dropout",
    () =>
      layers.bidirectional({
        layer: layers.gru({ units: 2, dropout: 0.5, recurrentInitializer: "zeros" }),
        mergeMode: "concat",
      }),
    /\(Bidirectional\)/,
  ],
  [
    "timeDistributed dropout",
    () => layers.timeDistributed({ layer: layers.dropout({ rate: 0.5, seed: 1 }) }),
    /\(TimeDistributed\)/,
  ],
  [
    "a model within, with dropout",
    () => tfl.sequential({ layers: [layers.dropout({ rate: 0.5, inputShape: [5, 4] })] }),
    /\(Dropout\)/,
  ],
];

test.each(drawing)("%s is refused in training, by name", (_, layer, named) => {
  const input = tfl.input({ shape: [5, 4] });
  const layersModel = tfl.model({ inputs: input, outputs: layer().apply(input) as Symbolic });
  const model = pureModel(layersModel);
  const state = Object.fromEntries(
    layersModel.weights.map((weight) => [weight.name, weight.read()]),
  );
  const x = tf.ones([2, 5, 4]);
  const before = tf.memory().numTensors;
  const trained = () => tf.tidy(() => model.apply(state, x, "train").outputs[0]!);
  expect(trained).toThrow(
    expect.objectContaining({
      name: "LejepaError",
      code: "random-draw",
      message: expect.stringMatching(new RegExp(`${named.source}.*layers\\.multiply`)) as string,
    }),
  );
  expect(tf.memory().numTensors).toBe(before);
  // Without training, and in the model itself, nothing is refused.
  const y = tf.tidy(() => model.apply(state, x, "eval").outputs[0]!.dataSync());
  expect(y).toEqual(tf.tidy(() => (layersModel.predict(x) as tf.Tensor).dataSync()));
  tf.tidy(() => layersModel.apply(x, { training: true }) as tf.Tensor);
  layersModel.dispose();
});

describe("what JavaScript can pass that TypeScript would refuse", () => {
  const layersModel = classifier();
  const build = () => {
    const net = pureModel(layersModel);
    const state = Object.fromEntries(
      layersModel.weights.map((weight) => [weight.name, weight.read()]),
    );
    return { net, state, first: net.trainable[0]! };
  };
  type Built = ReturnType<typeof build>;
  const images = () => tf.ones([2, 8, 8, 1]);
  const mean = (y: tf.Tensor) => tf.mean(y);
  const any = <T>(value: unknown) => value as T;
  const strangers = [undefined, null, 1, "evl", {}, [1], () => 1];
  const said = (value: unknown) => JSON.stringify(value) ?? typeof value;

  const wrong: [title: string, code: string, call: (built: Built) => unknown][] = [
    ...strangers.map((value): (typeof wrong)[number] => [
      `pureModel of ${said(value)}`,
      "bad-argument",
      () => pureModel(any(value)),
    ]),
    ...["eval", "train"].flatMap((mode): typeof wrong => [
      ...[undefined, null, 1, "x"].map((state): (typeof wrong)[number] => [
        `${mode}: the state ${String(state)}`,
        "bad-argument",
        ({ net }) => net.apply(any(state), images(), any(mode)),
      ]),
      [
        `${mode}: an empty state`,
        "missing-parameter",
        ({ net }) => net.apply({}, images(), any(mode)),
      ],
      [
        `${mode}: another state`,
        "missing-parameter",
        ({ net }) => net.apply(any({ a: 1 }), images(), any(mode)),
      ],
      [
        `${mode}: a number for a weight`,
        "bad-argument",
        ({ net, state, first }) => net.apply(any({ ...state, [first]: 1 }), images(), any(mode)),
      ],
      [
        `${mode}: a weight of another shape`,
        "bad-shape",
        ({ net, state, first }) =>
          net.apply({ ...state, [first]: tf.ones([2]) }, images(), any(mode)),
      ],
      ...[undefined, null, 1, [undefined], {}].map((x): (typeof wrong)[number] => [
        `${mode}: the inputs ${JSON.stringify(x)}`,
        "bad-argument",
        ({ net, state }) => net.apply(state, any(x), any(mode)),
      ]),
      [
        `${mode}: inputs of another shape`,
        "model-failed",
        ({ net, state }) => net.apply(state, tf.ones([2, 3]), any(mode)),
      ],
      [
        `${mode}: an input too many`,
        "bad-argument",
        ({ net, state }) => net.apply(state, [images(), images()], any(mode)),
      ],
      [`${mode}: no input`, "bad-argument", ({ net, state }) => net.apply(state, [], any(mode))],
    ]),
    ...[undefined, null, 1, "evl", "constructor", {}].map((mode): (typeof wrong)[number] => [
      `the mode ${said(mode)}`,
      "bad-argument",
      ({ net, state }) => net.apply(state, images(), any(mode)),
    ]),
    ...[undefined, {}, { a: 1 }].map((state): (typeof wrong)[number] => [
      `gradients of the state ${JSON.stringify(state)}`,
      state ? "missing-parameter" : "bad-argument",
      ({ net }) => net.lossAndGradients(any(state), images(), mean),
    ]),
    [
      "gradients of no inputs",
      "bad-argument",
      ({ net, state }) => net.lossAndGradients(state, any(undefined), mean),
    ],
    ...[undefined, null, 1, {}].map((loss): (typeof wrong)[number] => [
      `the loss ${said(loss)}`,
      "bad-argument",
      ({ net, state }) => net.lossAndGradients(state, images(), any(loss)),
    ]),
    ...[undefined, 1, {}].map((value): (typeof wrong)[number] => [
      `a loss that returns ${said(value)}`,
      "bad-argument",
      ({ net, state }) => net.lossAndGradients(state, images(), () => any(value)),
    ]),
    [
      "a loss for each image",
      "bad-shape",
      ({ net, state }) => net.lossAndGradients(state, images(), (y) => tf.mean(y, 1)),
    ],
  ];

  test.each(wrong)("is refused: %s", (title, code, call) => {
    const built = build();
    const before = tf.memory().numTensors;
    expect(() => tf.tidy(() => void call(built))).toThrow(
      expect.objectContaining({
        name: "LejepaError",
        code,
        message: expect.stringMatching(/^[^\n]+\.$/) as string,
      }),
    );
    // What tfjs keeps for a gradient is freed where the step around it ends.
    if (!title.startsWith("a loss")) expect(tf.memory().numTensors).toBe(before);
  });
});

test("a dropout of rate 0 draws nothing", () => {
  const layersModel = tfl.sequential({ layers: [layers.dropout({ rate: 0, inputShape: [3] })] });
  const { outputs } = pureModel(layersModel).apply({}, tf.ones([1, 3]), "train");
  expect([...outputs[0]!.dataSync()]).toEqual([1, 1, 1]);
});

test.for(names)(
  "on %s a mask that is an input of the model drops out, another at each step",
  async (name, context) => {
    needs(name, context);
    const [x, mask] = [tfl.input({ shape: [4] }), tfl.input({ shape: [4] })];
    const kept = layers.multiply().apply([x, mask]) as Symbolic;
    const dense = layers.dense({ units: 1, useBias: false, kernelInitializer: "ones" });
    const layersModel = tfl.model({ inputs: [x, mask], outputs: dense.apply(kept) as Symbolic });
    const model = pureModel(layersModel);
    const step = await engines[name]!.compile(
      (state, { x, mask }) => {
        const { gradients } = model.lossAndGradients(state, [x!, mask!], (y) => tf.mean(y));
        return { state, outputs: { gradient: gradients[model.trainable[0]!]! } };
      },
      { state: model.weights, inputs: { x: { shape: [1, 4] }, mask: { shape: [1, 4] } } },
    );
    const images = Float32Array.of(1, 2, 3, 4);
    for (const mask of [
      [2, 0, 2, 0],
      [0, 2, 2, 2],
    ]) {
      const { gradient } = await step.run({ x: images, mask: Float32Array.from(mask) });
      expect([...gradient!.data]).toEqual(mask.map((kept, i) => kept * images[i]!));
    }
    await step.dispose();
    layersModel.dispose();
  },
);

/** Three dense layers with a batch norm between, the second and the norm in a model within. */
function nested(): { model: tfl.LayersModel; inner: tfl.Sequential; dense: tfl.layers.Layer[] } {
  const dense = [
    layers.dense({ units: 3, inputShape: [4] }),
    layers.dense({ units: 3, inputShape: [3] }),
    layers.dense({ units: 2 }),
  ];
  const inner = tfl.sequential({ layers: [dense[1]!, layers.batchNormalization()] });
  const model = tfl.sequential({ layers: [dense[0]!, inner, dense[2]!] });
  return { model, inner, dense };
}

const sameWeights = (model: tfl.LayersModel): void => {
  tf.tidy(() => model.setWeights(model.getWeights().map((weight) => tf.clone(weight))));
};

/** A model that was stored and loaded again. */
async function reloaded(model: tfl.LayersModel): Promise<tfl.LayersModel> {
  let stored: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler((artifacts) => {
      stored = artifacts;
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) });
    }),
  );
  return tfl.loadLayersModel(tf.io.fromMemory(stored!));
}

type Freezing = readonly [
  title: string,
  trained: number,
  build: () => tfl.LayersModel | Promise<tfl.LayersModel>,
];
const freezings: readonly Freezing[] = [
  ["nothing", 8, () => nested().model],
  [
    "a layer by its constructor",
    2,
    () =>
      tfl.sequential({
        layers: [
          layers.dense({ units: 3, inputShape: [4], trainable: false }),
          layers.dense({ units: 2 }),
        ],
      }),
  ],
  [
    "a layer later on",
    6,
    () => {
      const { model, dense } = nested();
      dense[0]!.trainable = false;
      return model;
    },
  ],
  [
    "a layer that is then given weights",
    6,
    () => {
      const { model, dense } = nested();
      dense[0]!.trainable = false;
      sameWeights(model);
      return model;
    },
  ],
  [
    "a layer of a model within",
    6,
    () => {
      const { model, dense } = nested();
      dense[1]!.trainable = false;
      return model;
    },
  ],
  [
    "a model within",
    4,
    () => {
      const { model, inner } = nested();
      inner.trainable = false;
      return model;
    },
  ],
  [
    "a model within, given weights",
    4,
    () => {
      const { model, inner } = nested();
      inner.trainable = false;
      sameWeights(model);
      return model;
    },
  ],
  [
    "a batch norm",
    6,
    () => {
      const { model, inner } = nested();
      inner.layers[1]!.trainable = false;
      return model;
    },
  ],
  [
    "a layer and not after all",
    8,
    () => {
      const { model, dense } = nested();
      dense[0]!.trainable = false;
      dense[0]!.trainable = true;
      return model;
    },
  ],
  [
    "the whole model",
    0,
    () => {
      const { model } = nested();
      model.trainable = false;
      return model;
    },
  ],
  [
    "a layer, stored and loaded",
    6,
    () => {
      const { model, dense } = nested();
      dense[0]!.trainable = false;
      return reloaded(model);
    },
  ],
  [
    "a layer by its constructor, stored and loaded",
    2,
    () =>
      reloaded(
        tfl.sequential({
          layers: [
            layers.dense({ units: 3, inputShape: [4], trainable: false }),
            layers.dense({ units: 2 }),
          ],
        }),
      ),
  ],
  [
    // Its weights are those of the other use.
    "one of two uses of a layer",
    2,
    () => {
      const shared = layers.dense({ units: 4, inputShape: [4] });
      const inner = tfl.sequential({ layers: [shared] });
      const x = tfl.input({ shape: [4] });
      const y = layers.dense({ units: 2 }).apply(shared.apply(inner.apply(x))) as Symbolic;
      inner.trainable = false;
      return tfl.model({ inputs: x, outputs: y });
    },
  ],
];

test.each(freezings)(
  "with %s frozen a step trains the %i weights that fit trains, to the same values",
  async (_, trained, build) => {
    const layersModel = await build();
    layersModel.compile({ optimizer: tf.train.sgd(0.5), loss: "meanSquaredError" });
    const model = pureModel(layersModel);
    expect(model.trainable).toHaveLength(trained);
    expect(model.trainable).toEqual([
      ...new Set(layersModel.trainableWeights.map(({ name }) => name)),
    ]);
    const [x, y] = [tf.tensor(spread(24, 1), [6, 4]), tf.tensor(spread(12, 2), [6, 2])];
    const step = await eager.compile(
      (state, { x, y }) => {
        const { gradients, updates } = model.lossAndGradients(state, x!, (out) =>
          tf.mean(tf.square(tf.sub(y!, out))),
        );
        const moved = Object.fromEntries(
          Object.entries(gradients).map(([name, g]) => [
            name,
            tf.sub(state[name]!, tf.mul(g, 0.5)),
          ]),
        );
        return { state: { ...state, ...moved, ...updates }, outputs: {} };
      },
      { state: model.weights, inputs: { x: { shape: [6, 4] }, y: { shape: [6, 2] } } },
    );
    for (let i = 0; i < 2; i++) {
      await step.run({ x: spread(24, 1), y: spread(12, 2) });
      // With nothing to train, fit fails.
      if (trained > 0) await layersModel.trainOnBatch(x, y);
    }
    const got = await step.readState();
    await step.dispose();
    const weights = trained > 0 ? layersModel.weights : [];
    for (const weight of weights)
      weight
        .read()
        .dataSync()
        .forEach((v, i) => expect(got[weight.name]!.data[i], weight.name).toBeCloseTo(v, 5));
    const before = model.weights;
    const changed = Object.keys(got).filter((name) =>
      got[name]!.data.some((value, i) => value !== before[name]!.data[i]),
    );
    // Moving averages move all the same.
    expect(changed.filter((name) => !name.includes("moving")).sort()).toEqual(
      [...model.trainable].sort(),
    );
    tf.dispose([x, y]);
  },
);

test("a step that fails leaves the model as it was", async (context) => {
  needs("onnx", context);
  const layersModel = tfl.sequential({
    layers: [layers.dense({ units: 2, inputShape: [2] }), layers.dropout({ rate: 0.5 })],
  });
  const model = pureModel(layersModel);
  const spec = { state: model.weights, inputs: { x: { shape: [1, 2] } } };
  const step: Step = (state, { x }) => ({
    state,
    outputs: { y: model.apply(state, x!, "train").outputs[0]! },
  });
  await expect(engines.onnx!.compile(step, spec)).rejects.toMatchObject({
    name: "LejepaError",
    code: "random-draw",
  });
  const values = [...layersModel.weights[0]!.read().dataSync()];
  expect(values).toEqual([...model.weights[layersModel.weights[0]!.name]!.data]);
  layersModel.dispose();
});
