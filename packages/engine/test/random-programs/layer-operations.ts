/** Rows of the layers of @lejepa/ops. */
import { call, Code, listCall, recordCall, type Draw, type DrawnValue } from "./draw.js";
import type { OperationRow } from "./elementwise-operations.js";
import { sizeOf } from "./program.js";

/** A value of exactly this shape. */
const of = (
  d: Draw,
  shape: readonly number[],
  range: { low: number; high: number } = { low: -1, high: 1 },
): DrawnValue =>
  d.value(
    (value) =>
      String(value.shape) === String(shape) &&
      value.least >= range.low * 3 &&
      value.most <= range.high * 3,
    () => shape,
    "float32",
    range,
  );
const variance = (d: Draw, channels: number): DrawnValue =>
  d.input([channels], { low: 0.3, high: 2, grain: "fine" });

const rows = (d: Draw): DrawnValue =>
  d.value(
    ({ shape }) => shape.length >= 2 && shape.length <= 5 && sizeOf(shape) > 0,
    () => d.shape(d.whole(2, 4)),
  );

/** Tokens of a few images, with a number of heads that divides their length. */
function tokens(d: Draw): { x: DrawnValue; heads: number; layout: "NLD" | "LND" } {
  const heads = d.whole(1, 3);
  const x = d.value(
    ({ shape }) => shape.length === 3 && shape[2]! % heads === 0 && sizeOf(shape) > 0,
    () => [d.whole(1, 3), d.whole(1, 5), heads * d.whole(1, 4)],
  );
  return { x, heads, layout: d.one(["NLD", "LND"]) };
}

const activation = (d: Draw) => new Code(d.one(["gelu", "geluTanh", "quickGelu", "silu"]));

/** Zeros around images, below the window's size: one number, or one for each side. */
function padding(d: Draw, side: number): number | Code {
  const one = () => d.whole(0, side - 1);
  if (d.chance(0.6)) return one();
  return new Code(`{ top: ${one()}, bottom: ${one()}, left: ${one()}, right: ${one()} }`);
}

export const layerOperations: Readonly<Record<string, OperationRow>> = {
  "ops.linear": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0 && sizeOf(shape) > 0,
      () => d.shape(d.whole(1, 4)),
    );
    const outputs = d.whole(1, 8);
    const weight = of(d, [x.shape.at(-1)!, outputs]);
    return d.chance(0.5)
      ? call`ops.linear(${x}, ${weight})`
      : call`ops.linear(${x}, ${weight}, ${of(d, [outputs])})`;
  },
  "ops.layerNorm": (d) => {
    const x = rows(d);
    const dim = x.shape.at(-1)!;
    return call`ops.layerNorm(${x}, ${of(d, [dim])}, ${of(d, [dim])}, ${d.one([1e-5, 1e-3])})`;
  },
  "ops.layerNormLinear": (d) => {
    const x = rows(d);
    const dim = x.shape.at(-1)!;
    const outputs = d.whole(1, 6);
    return call`ops.layerNormLinear(${x}, { weight: ${of(d, [dim])}, bias: ${of(d, [dim])}, epsilon: 0.001 }, [{ weight: ${of(d, [dim, outputs])}, bias: ${of(d, [outputs])} }])[0]`;
  },
  "ops.normalizeRows": (d) => {
    const x = d.value(
      ({ shape }) => shape.length === 2 && sizeOf(shape) > 0,
      () => d.shape(2),
    );
    return call`ops.normalizeRows(${x}, { epsilon: 0.001, readers: ${d.one(["any", "any", "centred"])} })`;
  },
  "ops.batchNorm": (d) => {
    const x = rows(d);
    const channels = x.shape.at(-1)!;
    const options = call`mode: ${d.one(["train", "train", "eval"])}, epsilon: 0.001, activation: ${d.one(["none", "relu"])}`;
    const residual = d.chance(0.3) ? call`, residual: ${of(d, x.shape)}` : new Code("");
    const running = call`{ mean: ${d.input([channels])}, variance: ${variance(d, channels)} }`;
    return listCall`(({ y, updates }) => [y, updates.mean, updates.variance])(ops.batchNorm(${x}, ${of(d, [channels])}, ${of(d, [channels])}, ${running}, { ${options}${residual} }))`;
  },
  "ops.convBlock": (d) => {
    const x = d.images();
    const side = d.whole(1, Math.max(1, Math.min(3, x.shape[1]!, x.shape[2]!)));
    const channels = d.channels();
    const kernel = of(d, [side, side, x.shape[3]!, channels]);
    const running = call`{ mean: ${d.input([channels])}, variance: ${variance(d, channels)} }`;
    const norm = call`{ weight: ${of(d, [channels])}, bias: ${of(d, [channels])}, running: ${running} }`;
    const options = call`{ mode: ${d.one(["train", "train", "eval"])}, stride: ${d.whole(1, 2)}, padding: ${padding(d, side)}, epsilon: 0.001, activation: ${d.one(["relu", "none"])} }`;
    return call`ops.convBlock(${x}, ${kernel}, ${norm}, ${options}).y`;
  },
  "ops.conv2d": (d) => {
    const x = d.images();
    const side = d.whole(1, Math.max(1, Math.min(3, x.shape[1]!, x.shape[2]!)));
    const dilation = side > 1 && d.chance(0.25) ? 2 : 1;
    const channels = x.shape[3]!;
    const groups = d.chance(0.7)
      ? 1
      : d.one([1, 2, 3, 4].filter((count) => channels % count === 0));
    const outputs = groups === 1 ? d.channels() : groups * d.whole(1, 4);
    const weight = of(d, [side, side, channels / groups, outputs]);
    return call`ops.conv2d(${x}, ${weight}, { stride: ${d.whole(1, 3)}, padding: ${padding(d, (side - 1) * dilation + 1)}, dilation: ${dilation}, groups: ${groups}, bias: ${of(d, [outputs])} })`;
  },
  "ops.maxPool2d": (d) => {
    const x = d.images();
    const window = d.whole(1, Math.max(1, Math.min(4, x.shape[1]!, x.shape[2]!)));
    return call`ops.maxPool2d(${x}, { window: ${window}, stride: ${d.whole(1, 3)}, padding: ${padding(d, window)} })`;
  },
  "ops.globalAveragePool": (d) =>
    call`ops.globalAveragePool(${d.value(
      ({ shape }) => shape.length >= 3 && sizeOf(shape) > 0,
      () => d.shape(d.whole(3, 5)),
    )})`,
  "ops.patchEmbed": (d) => {
    const x = d.images();
    const [height, width] = [
      d.whole(1, Math.max(1, x.shape[1]!)),
      d.whole(1, Math.max(1, x.shape[2]!)),
    ];
    const dim = d.whole(1, 8);
    return call`ops.patchEmbed(${x}, ${of(d, [height, width, x.shape[3]!, dim])}, ${of(d, [dim])}, ${d.one(["NLD", "LND"])})`;
  },
  "ops.attention": (d) => {
    const q = d.value(
      ({ shape }) => shape.length >= 2 && shape.length <= 4 && sizeOf(shape) > 0,
      () => d.shape(d.whole(2, 4)),
    );
    const keys = d.whole(1, 5);
    const batch = q.shape.slice(0, -2);
    return call`ops.attention(${q}, ${of(d, [...batch, keys, q.shape.at(-1)!])}, ${of(d, [...batch, keys, d.whole(1, 4)])}, ${d.number(0.2, 1)})`;
  },
  "ops.multiHeadAttention": (d) => {
    const { x, heads, layout } = tokens(d);
    return call`ops.multiHeadAttention(${x}, ${of(d, x.shape)}, ${of(d, x.shape)}, ${heads}, ${layout})`;
  },
  "ops.selfAttention": (d) => {
    const { x, heads, layout } = tokens(d);
    const dim = x.shape[2]!;
    return d.chance(0.5)
      ? call`ops.selfAttention(${x}, { weight: ${of(d, [dim, 3 * dim])}, bias: ${of(d, [3 * dim])} }, ${heads}, { layout: ${layout} })`
      : call`ops.selfAttention(${x}, { weight: ${of(d, [dim, 3 * dim])} }, ${heads}, { layout: ${layout}, norm: { weight: ${of(d, [dim])}, bias: ${of(d, [dim])}, epsilon: 0.001 }, output: { weight: ${of(d, [dim, 3])}, bias: ${of(d, [3])} } })`;
  },
  "ops.mlp": (d) => {
    const x = rows(d);
    const [dim, hidden, outputs] = [x.shape.at(-1)!, d.whole(1, 6), d.whole(1, 5)];
    const layers = [
      of(d, [dim, hidden]),
      of(d, [hidden]),
      of(d, [hidden, outputs]),
      of(d, [outputs]),
    ];
    const activation = d.one(["relu", "gelu", "gelu_tanh", "quick_gelu", "silu"]);
    return call`ops.mlp(${x}, { fc1: { weight: ${layers[0]}, bias: ${layers[1]} }, fc2: { weight: ${layers[2]}, bias: ${layers[3]} } }, ${activation})`;
  },
  "ops.gelu": (d) => call`ops.${activation(d)}(${d.float()})`,
  "ops.dropPath": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0 && sizeOf(shape) > 0,
      () => d.shape(d.whole(1, 4)),
    );
    return call`ops.dropPath(${x}, ${d.input([x.shape[0]!], { low: 0, high: 1, grain: "fine" })}, 0.7)`;
  },
  "ops.characteristicMeans": (d) => {
    const x = d.value(
      ({ shape, least, most }) => shape.length === 2 && sizeOf(shape) > 0 && least > -5 && most < 5,
      () => d.shape(2),
    );
    return call`ops.characteristicMeans(${x}, { step: ${d.number(0.1, 0.5)}, harmonics: ${[1, 2, 3, 5].slice(0, d.whole(1, 4))} })`;
  },
  "ops.adamw": (d) => {
    const x = d.value(
      ({ shape }) => sizeOf(shape) > 0,
      () => d.shape(),
    );
    const scalar = () => d.input([], { low: 0.1, high: 1 });
    const slot = call`parameter: ${x}, mean: ${d.input(x.shape)}, square: ${d.input(x.shape, { low: 0, high: 1 })}, gradient: ${of(d, x.shape)}`;
    const corrections = call`learningRate: ${scalar()}, correction1: ${scalar()}, correction2: ${scalar()}`;
    return recordCall`ops.adamw({ ${slot}, ${corrections} }, { beta1: 0.9, beta2: 0.99, epsilon: 0.001, weightDecay: ${d.one([0, 0.1])} })`;
  },
};
