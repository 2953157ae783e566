/** Convolutions and their gradients by their sums, in float64: what every engine is held to. */

type Four = readonly [number, number, number, number];
type Two = readonly [number, number];

/** One convolution, channels last. */
export interface Convolution {
  readonly kind: "full" | "depthwise";
  /** [N, H, W, C] */
  readonly x: Four;
  /** [kh, kw, C, O], depthwise [kh, kw, C, Q] with outputs c Q + q. */
  readonly filter: Four;
  readonly strides: Two;
  /** By TensorFlow's words, or zeros [before, after] the rows and the columns. */
  readonly pad: "same" | "valid" | readonly [Two, Two];
  readonly dilations: Two;
}

/** Zeros before the first row or column, and how many outputs there are. */
interface Axis {
  readonly before: number;
  readonly outputs: number;
}

/** Rows (0) or columns (1). "same" gives ceil(size / stride) outputs, with the odd zero at the end. */
function axisOf(
  { x, filter, strides, pad, dilations }: Omit<Convolution, "kind">,
  axis: 0 | 1,
): Axis {
  const [size, stride] = [x[axis + 1]!, strides[axis]];
  const reach = (filter[axis] - 1) * dilations[axis] + 1;
  if (pad === "same") {
    const outputs = Math.ceil(size / stride);
    return { outputs, before: Math.floor(Math.max(0, (outputs - 1) * stride + reach - size) / 2) };
  }
  const [before, after] = pad === "valid" ? [0, 0] : pad[axis];
  return { before, outputs: Math.floor((size + before + after - reach) / stride) + 1 };
}

/** The shape of the result. */
export const resultShape = (c: Convolution): Four => [
  c.x[0],
  axisOf(c, 0).outputs,
  axisOf(c, 1).outputs,
  c.kind === "full" ? c.filter[3] : c.filter[2] * c.filter[3],
];

/** Calls `meet` for each product that the convolution adds up: places in y, in x and in the filter. */
function products(
  c: Convolution,
  meet: (output: number, pixel: number, weight: number) => void,
): void {
  const [n, h, w, channels] = c.x;
  const [kh, kw, , last] = c.filter;
  const [rows, columns] = [axisOf(c, 0), axisOf(c, 1)];
  const outputs = resultShape(c)[3];
  for (let image = 0; image < n; image++)
    for (let y = 0; y < rows.outputs; y++)
      for (let z = 0; z < columns.outputs; z++)
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++) {
            const row = y * c.strides[0] + i * c.dilations[0] - rows.before;
            const column = z * c.strides[1] + j * c.dilations[1] - columns.before;
            if (row < 0 || column < 0 || row >= h || column >= w) continue;
            const at = ((image * rows.outputs + y) * columns.outputs + z) * outputs;
            for (let channel = 0; channel < channels; channel++)
              for (let o = 0; o < last; o++)
                meet(
                  at + (c.kind === "full" ? o : channel * last + o),
                  ((image * h + row) * w + column) * channels + channel,
                  ((i * kw + j) * channels + channel) * last + o,
                );
          }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

type Numbers = ArrayLike<number>;

/** y of x and the filter. */
export function convolved(c: Convolution, x: Numbers, filter: Numbers): Float64Array {
  const y = new Float64Array(sizeOf(resultShape(c)));
  products(c, (output, pixel, weight) => (y[output]! += x[pixel]! * filter[weight]!));
  return y;
}

/** The gradients of x and of the filter from that of y. */
export function convolutionGradients(
  c: Convolution,
  x: Numbers,
  filter: Numbers,
  dy: Numbers,
): { readonly x: Float64Array; readonly filter: Float64Array } {
  const dx = new Float64Array(sizeOf(c.x));
  const dfilter = new Float64Array(sizeOf(c.filter));
  products(c, (output, pixel, weight) => {
    dx[pixel]! += dy[output]! * filter[weight]!;
    dfilter[weight]! += dy[output]! * x[pixel]!;
  });
  return { x: dx, filter: dfilter };
}
