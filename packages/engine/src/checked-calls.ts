/** What every engine refuses, where nothing is lowered: calls of kernels whose windows tfjs-core counts wrongly. */
import * as tf from "@tensorflow/tfjs-core";
import { engineError } from "./engine-error.js";
import { CallSite } from "./graph/call-site.js";
import { checkedWindow, type Padded } from "./kernels/checked-window.js";
import type { Window } from "./kernels/window.js";

type Inputs = Readonly<Record<string, tf.TensorInfo>>;
type Attributes = Readonly<Record<string, unknown>>;
type Four = [number, number, number, number];

interface Geometry extends Padded {
  readonly strides: [number, number] | number;
  readonly dilations?: [number, number] | number;
  readonly filterSize: [number, number];
  readonly filterShape: Four;
  readonly inputShape: Four;
  readonly dataFormat?: "NHWC" | "NCHW";
}

const pooling = (image: "x" | "input") => (inputs: Inputs, attributes: Attributes) => {
  const { strides, filterSize, pad, dimRoundingMode } = attributes as unknown as Geometry;
  const shape = inputs[image]!.shape as Four;
  // Others are refused by tfjs-core itself.
  if (shape.length !== 4) return;
  checkedWindow(
    tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode),
    { pad, dimRoundingMode },
  );
};

/** Where a kernel has the shapes of the images and of the filter. */
type Shapes = (inputs: Inputs, attributes: Geometry) => readonly [Four, Four];

const convolution =
  (kind: "full" | "depthwise", shapes: Shapes) => (inputs: Inputs, attributes: Attributes) => {
    const geometry = attributes as unknown as Geometry;
    const { strides, dilations, pad, dimRoundingMode, dataFormat = "NHWC" } = geometry;
    const window: Window = tf.backend_util.computeConv2DInfo(
      ...shapes(inputs, geometry),
      strides,
      dilations ?? 1,
      pad,
      dimRoundingMode,
      kind === "depthwise",
      tf.backend_util.convertConv2DDataFormat(dataFormat),
    );
    checkedWindow(window, { pad, dimRoundingMode });
  };

const ofOperands: Shapes = ({ x, filter }) => [x!.shape as Four, filter!.shape as Four];
const ofInput: Shapes = ({ filter }, { inputShape }) => [inputShape, filter!.shape as Four];
const ofFilter: Shapes = ({ x }, { filterShape }) => [x!.shape as Four, filterShape];

const checks: Readonly<Record<string, (inputs: Inputs, attributes: Attributes) => void>> = {
  AvgPool: pooling("x"),
  AvgPoolGrad: pooling("input"),
  MaxPool: pooling("x"),
  MaxPoolGrad: pooling("input"),
  MaxPoolWithArgmax: pooling("x"),
  Conv2D: convolution("full", ofOperands),
  FusedConv2D: convolution("full", ofOperands),
  Conv2DBackpropInput: convolution("full", ofInput),
  Conv2DBackpropFilter: convolution("full", ofFilter),
  DepthwiseConv2dNative: convolution("depthwise", ofOperands),
  FusedDepthwiseConv2D: convolution("depthwise", ofOperands),
  DepthwiseConv2dNativeBackpropInput: convolution("depthwise", ofInput),
  DepthwiseConv2dNativeBackpropFilter: convolution("depthwise", ofFilter),
};

/** Runs `body`, in which a call of tfjs-core that a compiled engine refuses for its windows is refused as well, on
 *  whatever backend.
 *  @throws LejepaError "unsupported-kernel", which names the kernel, the line and the way out */
export function withCheckedCalls<R>(body: () => R): R {
  // Only a name of its own: the method itself stays the prototype's.
  const engine = tf.engine() as unknown as { runKernel: RunKernel };
  const outer = Object.hasOwn(engine, "runKernel") ? engine.runKernel : undefined;
  const runKernel = engine.runKernel.bind(engine);
  engine.runKernel = (kernelName, inputs, attributes) => {
    try {
      checks[kernelName]?.(inputs, attributes ?? {});
    } catch (cause) {
      throw engineError(
        "unsupported-kernel",
        `The eager engine refuses the tfjs kernel ${kernelName}, called at ${new CallSite().toString()}: ${(cause as Error).message}`,
        { cause },
      );
    }
    return runKernel(kernelName, inputs, attributes);
  };
  try {
    return body();
  } finally {
    if (outer) engine.runKernel = outer;
    else delete (engine as Partial<typeof engine>).runKernel;
  }
}

type RunKernel = (kernelName: string, inputs: Inputs, attributes?: Attributes) => unknown;
