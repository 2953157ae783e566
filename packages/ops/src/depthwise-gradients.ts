import * as tf from "@tensorflow/tfjs-core";
import {
  depthwiseWindow,
  givenBack,
  metBy,
  surrounded,
  tapsOf,
  type Window,
  type WindowGeometry,
} from "./window-taps.js";

/** [N, H', W', C, Q]: a depthwise convolution makes Q channels from each of C. */
const byChannel = (dy: tf.Tensor, window: Window): tf.Tensor =>
  tf.reshape(dy, [
    window.batchSize,
    window.outHeight,
    window.outWidth,
    window.inChannels,
    window.outChannels / window.inChannels,
  ]);

/** The gradient of a depthwise convolution towards its filter, composed from operations that every backend has:
 *    dW[a, b, c, q] = sum over n, y, z of x[n, y stride + a dilation - top, z stride + b dilation - left, c] dy[n, y, z, c Q + q]
 *  Shapes: x [N, H, W, C], dy [N, H', W', C Q] -> [Kh, Kw, C, Q], which is `filterShape`. */
export function depthwiseFilterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: readonly number[],
  geometry: WindowGeometry,
): tf.Tensor4D {
  const window = depthwiseWindow(x.shape, filterShape, geometry);
  const padded = surrounded(x, window);
  const gradient = byChannel(dy, window);
  const rows = tapsOf(window).map((tap) =>
    tf.tidy(() =>
      tf.sum(tf.mul(tf.expandDims(metBy(padded, window, tap), 4), gradient), [0, 1, 2]),
    ),
  );
  return tf.reshape(tf.stack(rows), filterShape as tf.Tensor4D["shape"]);
}

/** The gradient of a depthwise convolution towards its images, composed from operations that every backend has:
 *    dx[n, u, v, c] = sum over the taps and outputs that meet (u, v) and over q of dy[n, y, z, c Q + q] W[a, b, c, q]
 *  Shapes: dy [N, H', W', C Q], filter [Kh, Kw, C, Q] -> [N, H, W, C], which is `shape`. */
export function depthwiseInputGradient(
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  shape: readonly number[],
  geometry: WindowGeometry,
): tf.Tensor4D {
  const window = depthwiseWindow(shape, filter.shape, geometry);
  const gradient = byChannel(dy, window);
  return givenBack(window, ([row, column]) => {
    const weights = tf.slice(filter, [row, column, 0, 0], [1, 1, -1, -1]);
    return tf.sum<tf.Tensor4D>(tf.mul(gradient, weights), 4);
  });
}
