import { lejepaLoss } from "@lejepa/sigreg";
import type { TensorAdapter } from "@lejepa/tensor";
import { unsupported, type CaseOptions } from "./case-options.js";
import type { Computed } from "./compare.js";
import type { StoredTensor } from "./golden-file.js";

const weightNames = ["W1", "b1", "W2", "b2"] as const;
const model = "proj[v,n,:] = tanh(x[v,n,:] @ W1 + b1) @ W2 + b2";
const layout = "x: step,V,N,Din; directions: step,D,S; W1: Din,H; W2: H,D";
const lossText =
  /^\(1-lambda\)\*mean\(\(mean_v proj - proj\)\^2\) \+ lambda\*SIGReg\(t_max=(?<tMax>[\d.]+),n_points=(?<points>\d+), mean over views and slices\)$/;

/** Trains the small network of a training case with AdamW, in contract calls alone:
 *    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g²
 *    w = w - lr (decay w + (m / (1 - b1^s)) / (sqrt(v / (1 - b2^s)) + eps))   at step s = 1, 2, ...
 *  Returns the loss and its terms before each update, the first gradients and the last weights. */
export async function trainingTrace<T>(
  k: TensorAdapter<T>,
  inputs: Readonly<Record<string, StoredTensor>>,
  options: CaseOptions,
): Promise<Record<string, Computed>> {
  options.oneOf("model", [model]);
  options.oneOf("layout", [layout]);
  options.describes("same_x_every_step");
  const loss = lossText.exec(options.text("loss"))?.groups;
  if (loss === undefined) unsupported("another loss text");
  const lossOptions = {
    lambda: options.number("lambda"),
    tMax: Number(loss["tMax"]),
    points: Number(loss["points"]),
  };
  const [rate, decay, epsilon] = [
    options.number("lr"),
    options.number("weight_decay"),
    options.number("eps"),
  ];
  const [beta1, beta2, steps] = [
    options.number("beta1"),
    options.number("beta2"),
    options.number("steps"),
  ];
  options.finish("a training trace");

  const stored = (name: string) => {
    const input = inputs[name];
    if (input === undefined) throw new Error(`there is no input "${name}"`);
    return input;
  };
  const load = ({ data, shape }: StoredTensor) => k.fromArray(data, shape);
  const [xs, allDirections] = [load(stored("x")), load(stored("directions"))];
  const weights = weightNames.map((name) => {
    const w = load(stored(name));
    return { w, m: k.fill(k.shape(w), 0), v: k.fill(k.shape(w), 0) };
  });
  const atStep = (all: T, step: number) => {
    const [, ...shape] = k.shape(all);
    return k.reshape(k.slice(all, [step, ...shape.map(() => 0)], [1, ...shape]), shape);
  };
  const terms = (x: T, directions: T, [w1, b1, w2, b2]: readonly T[]) => {
    const hidden = k.tanh(k.add(k.matMul(x, w1!), b1!));
    return lejepaLoss(k, k.add(k.matMul(hidden, w2!), b2!), directions, lossOptions);
  };

  const trace = { losses: [] as number[], pred: [] as number[], sigreg: [] as number[] };
  const computed: Record<string, Computed> = {};
  const keep = async (name: string, x: T) =>
    (computed[name] = { shape: k.shape(x), data: await k.read(x) });
  for (let step = 0; step < steps; step++) {
    const [x, directions] = [atStep(xs, step), atStep(allDirections, step)];
    const now = weights.map(({ w }) => w);
    const { loss: total, prediction, sigreg } = terms(x, directions, now);
    for (const [list, term] of [
      [trace.losses, total],
      [trace.pred, prediction],
      [trace.sigreg, sigreg],
    ] as const)
      list.push((await k.read(term))[0] ?? NaN);
    const { grads } = k.valueAndGrad((...ws) => terms(x, directions, ws).loss, now);
    if (step === 0)
      for (const [i, name] of weightNames.entries()) await keep(`first_grad_${name}`, grads[i]!);
    weights.forEach((weight, i) => {
      weight.m = k.add(k.mul(weight.m, beta1), k.mul(grads[i]!, 1 - beta1));
      weight.v = k.add(k.mul(weight.v, beta2), k.mul(k.square(grads[i]!), 1 - beta2));
      const mean = k.div(weight.m, 1 - beta1 ** (step + 1));
      const deviation = k.sqrt(k.div(weight.v, 1 - beta2 ** (step + 1)));
      const change = k.add(k.mul(weight.w, decay), k.div(mean, k.add(deviation, epsilon)));
      weight.w = k.sub(weight.w, k.mul(change, rate));
    });
  }
  for (const [i, name] of weightNames.entries()) await keep(`final_${name}`, weights[i]!.w);
  for (const [name, data] of Object.entries(trace)) computed[name] = { shape: [steps], data };
  return computed;
}
