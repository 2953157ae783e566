/** `npm run example -- NAME [--seed N] [--steps N]`: trains an example of docs/examples at full size. */
import { parseArgs } from "node:util";
import { recipe, runOnMnist, type CreateModel } from "../docs/examples/shared/mnist-run.js";
import { runCommand, UsageError, wholeNumber } from "./command-line.js";

const examples: Readonly<Record<string, () => Promise<{ createModel: CreateModel }>>> = {
  "jax-js": () => import("../docs/examples/jax-js/model.js"),
  "layers-model": () => import("../docs/examples/layers-model/model.js"),
  "frozen-onnx": () => import("../docs/examples/frozen-onnx/model.js"),
  "plain-typescript": () => import("../docs/examples/plain-typescript/model.js"),
  pytorch: () => import("../docs/examples/pytorch/model.js"),
};

const usage = `npm run example -- NAME [--seed N] [--steps N]

NAME    ${Object.keys(examples).join(", ")}: a folder of docs/examples. pytorch needs python3 with torch.
--seed  of the weights, the views and the directions; 0 when left out
--steps of ${recipe.batchSize} images in ${recipe.views} views; ${recipe.steps} when left out

Trains on the 60,000 images of MNIST without their labels, and prints the error of k nearest neighbours on the 10,000
test images, before and after.`;

await runCommand(async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: "string", default: "0" },
      steps: { type: "string", default: String(recipe.steps) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) console.log(usage);
  else {
    const [name = "(none)", ...rest] = positionals;
    const load = examples[name];
    if (load === undefined || rest.length > 0)
      throw new UsageError(`example: there is no example ${positionals.join(" ")}.\n${usage}`);
    const seed = wholeNumber("example", "seed", values.seed, 0);
    const steps = wholeNumber("example", "steps", values.steps, 1);
    const { createModel } = await load();
    const { untrained, trained, removed, seconds } = await runOnMnist(createModel, {
      seed,
      steps,
      onStep: (step, { loss, prediction, sigreg }) => {
        if (step % 100 === 0 || step === steps - 1)
          console.log(
            `step ${step}: loss ${loss.toFixed(3)} (prediction ${prediction.toFixed(3)}, sigreg ${sigreg.toFixed(2)})`,
          );
      },
    });
    console.log(
      `${name}, seed ${seed}: kNN error ${untrained.toFixed(2)} % untrained, ${trained.toFixed(2)} % after ${steps} steps ` +
        `in ${seconds.toFixed(1)} s; ${(100 * removed).toFixed(1)} % of the error removed`,
    );
  }
});
