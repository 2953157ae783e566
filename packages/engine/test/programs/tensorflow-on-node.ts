/** Started by node-versions.test.ts in each version of Node: prints what the engine and tfjs-node compute on the
 *  TensorFlow that is set up here. topK and the sum go through the functions of tfjs-node that call what newer Nodes
 *  dropped from `node:util`. */
import { createEngine } from "@lejepa/engine";
import { findTensorFlow, loadTensorFlow } from "@lejepa/engine/setup";
import * as tf from "@tensorflow/tfjs-core";

const installation = await findTensorFlow();
if (installation === undefined) throw new Error("TensorFlow: run npm run setup:tensorflow.");

const engine = await createEngine("tensorflow");
const compiled = await engine.compile(
  ({ w }, { lr }) => {
    const { value, grads } = tf.valueAndGrads((w) => tf.sum(tf.square(w)))([w!]);
    return { state: { w: tf.sub(w!, tf.mul(grads[0]!, lr!)) }, outputs: { loss: value } };
  },
  { state: { w: { shape: [2], data: Float32Array.of(1, -2) } }, inputs: { lr: { shape: [] } } },
);
const { loss } = await compiled.run({ lr: 0.25 });
const { w } = await compiled.readState();
await engine.dispose();

loadTensorFlow(installation);
await tf.setBackend("tensorflow");
const x = tf.tensor1d([1, -3, 2]);
const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2]));
console.log(
  JSON.stringify({
    node: process.version,
    tensorflow: installation.version,
    step: { loss: Array.from(loss!.data), w: Array.from(w!.data) },
    topTwo: Array.from(tf.topk(tf.square(x), 2).values.dataSync()),
    gradient: Array.from(
      tf
        .grad((x) => tf.sum(tf.square(x)))(x)
        .dataSync(),
    ),
    product: Array.from(product.dataSync()),
  }),
);
