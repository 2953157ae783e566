/** Started by setup.test.ts in a process of its own, to be killed or to race another: sets TensorFlow up and prints what
 *  came of it. */
import { setupTensorFlow } from "@lejepa/engine/setup";

const result = await setupTensorFlow();
console.log(JSON.stringify(result));
