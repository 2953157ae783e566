import { lastWords, runProgram } from "./run-program.js";
import { setupError } from "./setup-error.js";

/** Argument 1 is the addon. Multiplies [[1, 2], [3, 4]] by itself in TensorFlow. */
const program = `
const binding = require(process.argv[1]);
const flag = (name) => ({ name, type: binding.TF_ATTR_BOOL, value: false });
const matrix = binding.createTensor([2, 2], binding.TF_FLOAT, new Float32Array([1, 2, 3, 4]));
const type = { name: "T", type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
const attributes = [flag("transpose_a"), flag("transpose_b"), type];
const [product] = binding.executeOp("MatMul", attributes, [matrix, matrix], 1);
console.log(JSON.stringify({
  version: binding.TF_Version,
  product: [...binding.tensorDataSync(product.id)],
  gpu: binding.isUsingGpuDevice(),
}));
`;

/** Loads the addon in a process of its own, which may crash, and has TensorFlow compute a product of two matrices.
 *  @returns TensorFlow's version
 *  @throws LejepaError "smoke-test-failed" */
export async function smokeTest(
  addon: string,
  kind: "cpu" | "gpu",
  signal: AbortSignal,
): Promise<string> {
  const end = await runProgram(process.execPath, ["-e", program, "--", addon], signal, {
    ...process.env,
    NODE_OPTIONS: "",
    TF_CPP_MIN_LOG_LEVEL: "1",
  });
  if (end?.code !== 0)
    throw failed(`does not load or run (${end === undefined ? "no node" : loaderError(end)})`);
  const { version, product, gpu } = JSON.parse(end.stdout.trim().split("\n").at(-1)!) as {
    version: string;
    product: number[];
    gpu: boolean;
  };
  if (product.join() !== "7,10,15,22")
    throw failed(`computes [[1, 2], [3, 4]] squared as ${product.join()}, not 7,10,15,22`);
  if (kind === "gpu" && !gpu) throw failed("runs, but does not see the GPU");
  return version;
}

/** Node's message of the error, which a stack and Node's version follow. */
function loaderError(end: Parameters<typeof lastWords>[0]): string {
  const message = /^(?:\w*Error|.*error while loading.*): .*$/m.exec(end.stderr)?.[0];
  return message ?? lastWords(end);
}

const failed = (what: string) =>
  setupError(
    "smoke-test-failed",
    `setup: the TensorFlow that was built ${what}; nothing was installed.`,
  );
