import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { unsupported } from "@lejepa/tensor/error";
import { float64Adapter } from "@lejepa/tensor/float64";
import { jaxAdapter } from "@lejepa/tensor/jax";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import type { TensorAdapter } from "@lejepa/tensor";
import { expect, test } from "vitest";
import { logNormCdf } from "./log-norm-cdf.js";
import { normCdf } from "./norm-cdf.js";

/** x, log Phi(x) and its derivative phi(x) / Phi(x), with mpmath 1.3 at 40 digits. */
const exact = [
  [-1000, -500007.82669481216, 1000.000999998],
  [-300, -45006.62273211866, 300.00333325926334],
  [-40, -804.6084420137538, 40.02496884720726],
  [-20, -203.91715537109727, 20.049753068527853],
  [-10, -53.23128515051247, 10.098093233962512],
  [-8, -35.01343715991455, 8.121368112236112],
  [-5, -15.064998393988725, 5.186503967125842],
  [-3, -6.607726221510349, 3.2830986549304364],
  [-1, -1.8410216450092636, 1.525135276160981],
  [-0.5, -1.1759117615936185, 1.1410777703680646],
  [0, -0.6931471805599453, 0.7978845608028654],
  [0.5, -0.3689464152886564, 0.5091604338370335],
  [1, -0.17275377902344988, 0.2875999709391784],
  [2, -0.023012909328963486, 0.055247862678989956],
  [3, -0.0013508099647481938, 0.004437839042125664],
  [5, -2.866516129637636e-7, 0.0000014867199409049056],
  [8, -6.220960574271786e-16, 5.052271083536895e-15],
  [10, -7.619853024160525e-24, 7.694598626706419e-23],
] as const;
const points = exact.map(([x]) => x);

/** Largest relative errors of value and derivative at the points with |x| up to `reach`. */
function errors<T>(k: TensorAdapter<T>, reach: number, f = logNormCdf<T>): [number, number] {
  const x = k.fromArray(points, [points.length]);
  const { grads } = k.valueAndGrad((at) => k.sum(f(k, at)), [x]);
  const [values, slopes] = [k.readSync(f(k, x)), k.readSync(grads[0] as T)];
  const worst = (got: ArrayLike<number>, column: 1 | 2) =>
    Math.max(
      ...exact.map((row, i) =>
        Math.abs(row[0]) <= reach ? Math.abs((got[i] ?? NaN) / row[column] - 1) : 0,
      ),
    );
  return [worst(values, 1), worst(slopes, 2)];
}

const k = float64Adapter();

test("log Phi and its derivative have 13 digits in float64, in both tails", () => {
  errors(k, 1000).forEach((error) => expect(error).toBeLessThan(1e-13));
});

test("and the same without customGradient, differentiated through the series", () => {
  const plain: typeof k = {
    ...k,
    capabilities: ["valueAndGrad"],
    customGradient: () => unsupported("plain", "customGradient"),
  };
  errors(plain, 1000).forEach((error) => expect(error).toBeLessThan(1e-12));
});

test("they have 6 digits in float32 up to |x| = 5, the lower tail to the end", async () => {
  tf.enableProdMode();
  await tf.setBackend("cpu");
  for (const error of [...errors(tfjsAdapter(), 5), ...errors(jaxAdapter(), 5)])
    expect(error).toBeLessThan(2e-6);
  const k32 = tfjsAdapter();
  const tail = k32.readSync(logNormCdf(k32, k32.fromArray([-1000, -40], [2])));
  expect(tail[0]! / -500007.82669481216).toBeCloseTo(1, 6);
  expect(tail[1]! / -804.6084420137538).toBeCloseTo(1, 6);
});

test("infinities give their limits, with gradients that are not NaN", () => {
  const x = k.fromArray([-Infinity, Infinity, 1e200], [3]);
  expect([...logNormCdf(k, x).data].map(Math.abs)).toEqual([Infinity, 0, 0]);
  const { grads } = k.valueAndGrad((at) => k.sum(logNormCdf(k, at)), [x]);
  expect([...grads[0]!.data]).toEqual([Infinity, 0, 0]);
});

test("Phi is the exponential of log Phi, and its derivative the density", () => {
  const x = k.fromArray(points, [points.length]);
  const { grads } = k.valueAndGrad((at) => k.sum(normCdf(k, at)), [x]);
  [...normCdf(k, x).data].forEach((value, i) => {
    expect(Math.abs(value - Math.exp(exact[i]![1]))).toBeLessThanOrEqual(1e-12 * value);
    const density = Math.exp(-(points[i]! ** 2) / 2) / Math.sqrt(2 * Math.PI);
    expect(grads[0]!.data[i]).toBeCloseTo(density, 14);
  });
});
