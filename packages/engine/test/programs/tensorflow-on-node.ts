/** Started by node-versions.test.ts in each version of Node: prints what tfjs-node computes on the TensorFlow that is set
 *  up here. The gradient goes through both functions of tfjs-node that call what newer Nodes dropped from `node:util`. */
import { findTensorFlow, loadTensorFlow } from "@lejepa/engine/setup";
import * as tf from "@tensorflow/tfjs-core";

const installation = await findTensorFlow();
if (installation === undefined) throw new Error("TensorFlow: run npm run setup:tensorflow.");
loadTensorFlow(installation);
await tf.setBackend("tensorflow");
const sumOfTwoLargestSquares = (x: tf.Tensor) => tf.sum(tf.topk(tf.square(x), 2).values);
const x = tf.tensor1d([1, -3, 2]);
const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2]));
console.log(
  JSON.stringify({
    node: process.version,
    tensorflow: installation.version,
    value: Array.from(sumOfTwoLargestSquares(x).dataSync()),
    gradient: Array.from(
      tf
        .grad((x) => tf.sum(tf.square(x)))(x)
        .dataSync(),
    ),
    product: Array.from(product.dataSync()),
  }),
);
