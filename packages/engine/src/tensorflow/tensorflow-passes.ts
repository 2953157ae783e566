import { deadCode } from "../passes/dead-code.js";
import type { Pass } from "../passes/rewrite-nodes.js";
import { loweredPasses } from "../passes/run-passes.js";
import { reluGradients } from "./relu-gradients.js";

/** For TensorFlow, which places and fuses operations itself when it loads a graph. */
export const tensorflowPasses: readonly Pass[] = [...loweredPasses, reluGradients, deadCode];
