import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { beforeAll, describe, expect, test, vi } from "vitest";
import {
  directions,
  eppsPulley,
  lejepaLoss,
  sigreg,
  type LejepaLossOptions,
  type SigregOptions,
} from "@lejepa/sigreg";
import { unsupported } from "@lejepa/tensor/error";
import { float64Adapter } from "@lejepa/tensor/float64";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import { useAdapter, workspaceAdapters } from "../../../tools/golden/installed-adapters.js";

const k = float64Adapter();
const [V, N, D, M] = [2, 6, 4, 10];
const normal = (key: string, count: number) =>
  Array.from({ length: count }, randomNormal.source(seedrandom.alea(key))());
const z = k.fromArray(normal("z", V * N * D), [V, N, D]);
const a = k.fromArray(directions(D, M, 7), [D, M]);
const weights = k.fromArray(normal("weights", V * M), [V, M]);

function expectClose(got: Float64Array, expected: Float64Array): void {
  expect(got).toHaveLength(expected.length);
  got.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 13));
}

describe("slices in chunks", () => {
  const variants: SigregOptions[] = [
    {},
    { reduction: "sum" },
    { reduction: "none" },
    { clip: 0.6 },
    { test: eppsPulley({ integration: "gauss-hermite" }) },
    { test: eppsPulley({ rule: "exact" }) },
  ];
  // 3, 4 and 7 do not divide 10; 10 and 99 are all of them at once.
  const chunks = [1, 3, 4, 5, 7, 10, 99];

  describe.each(variants)("with %o", (options) => {
    test.each(chunks)("%i at a time have the value and the gradients of the whole", (chunk) => {
      const objective = (chunked: SigregOptions) =>
        k.valueAndGrad(
          (x, slices) => {
            const value = sigreg(k, x, slices, { ...options, ...chunked });
            return options.reduction === "none" ? k.sum(k.mul(value, weights)) : value;
          },
          [z, a],
        );
      const [whole, parts] = [objective({}), objective({ chunk })];
      expectClose(parts.value.data, whole.value.data);
      parts.grads.forEach((grad, i) => expectClose(grad.data, whole.grads[i]!.data));
    });
  });

  test("are the same without customGradient", () => {
    const plain: typeof k = {
      ...k,
      capabilities: ["valueAndGrad"],
      customGradient: () => unsupported("plain", "customGradient"),
    };
    const whole = k.valueAndGrad((x) => sigreg(k, x, a), [z]);
    const parts = plain.valueAndGrad((x) => sigreg(plain, x, a, { chunk: 3 }), [z]);
    expectClose(parts.grads[0]!.data, whole.grads[0]!.data);
  });

  test.each<LejepaLossOptions>([{}, { sigreg: "pooled", lambda: 0.4 }])(
    "are an option of the loss, here with %o",
    (options) => {
      const [whole, parts] = [undefined, 4].map((chunk) =>
        k.valueAndGrad((x) => lejepaLoss(k, x, a, { ...options, chunk }).loss, [z]),
      );
      expectClose(parts!.value.data, whole!.value.data);
      expectClose(parts!.grads[0]!.data, whole!.grads[0]!.data);
    },
  );
});

test.each(workspaceAdapters)(
  "three slices at a time are the loss of the whole on %s",
  async (name) => {
    const k = await useAdapter(name);
    if (k === undefined) throw new Error(`${name} is not installed`);
    const run = async (chunk: number | undefined) => {
      const { value, grads } = k.valueAndGrad(
        (x) => lejepaLoss(k, x, k.fromArray(a.data, a.shape), { chunk, lambda: 0.5 }).loss,
        [k.fromArray(z.data, z.shape)],
      );
      return [...(await k.read(value)), ...(await k.read(grads[0]))];
    };
    const [whole, parts] = [await run(undefined), await run(3)];
    parts.forEach((value, i) => expect(value).toBeCloseTo(whole[i]!, 5));
  },
);

describe("on tfjs", () => {
  const k32 = tfjsAdapter();
  const [V, N, D] = [2, 128, 8];
  const projections = normal("p", V * N * D);
  let write: (...args: unknown[]) => object;
  let disposeData: (id: object, force?: boolean) => boolean;
  beforeAll(async () => {
    tf.enableProdMode();
    await tf.setBackend("cpu");
    ({ write, disposeData } = tf.backend() as never);
  });

  /** Runs value and gradient of the loss; says how many bytes they hold at most, inputs included. Counted where the
   *  backend keeps its data, because `tf.memory` counts tensors that share it twice. */
  function run(slices: number, chunk: number | undefined) {
    const backend = tf.backend() as tf.KernelBackend & {
      write(...args: unknown[]): object;
      disposeData(id: object, force?: boolean): boolean;
    };
    const held = new Map<object, number>();
    let [bytes, peak] = [0, 0];
    const spies = [
      vi.spyOn(backend, "write").mockImplementation((...args) => {
        const id = write.apply(backend, args);
        const size = (args[0] as ArrayLike<number>).length * 4;
        held.set(id, size);
        bytes += size;
        peak = Math.max(peak, bytes);
        return id;
      }),
      vi.spyOn(backend, "disposeData").mockImplementation((id, force) => {
        const gone = disposeData.call(backend, id, force);
        if (gone) bytes -= held.get(id) ?? 0;
        return gone;
      }),
    ];
    try {
      const before = tf.memory().numTensors;
      const z32 = tf.tensor(projections, [V, N, D]);
      const a32 = tf.tensor(directions(D, slices, 0), [D, slices]);
      const { value, grads } = k32.valueAndGrad(
        (x) => lejepaLoss(k32, x, a32, { chunk }).loss,
        [z32],
      );
      const gradient = k32.readSync(grads[0]!);
      tf.dispose([z32, a32, value, grads]);
      expect([tf.memory().numTensors, bytes]).toEqual([before, 0]);
      return { peak, gradient };
    } finally {
      spies.forEach((spy) => spy.mockRestore());
    }
  }

  test("memory is that of one chunk, and the gradient the same", () => {
    const whole = run(256, undefined);
    const parts = run(256, 24);
    expect(parts.peak * 6).toBeLessThan(whole.peak);
    parts.gradient.forEach((value, i) => expect(value).toBeCloseTo(whole.gradient[i]!, 6));
  });

  test("eight times the slices take no more memory beside directions and statistics", () => {
    const [few, many] = [run(64, 16), run(512, 16)];
    // The directions and their gradient, in parts and joined; statistics and their gradient.
    const linear = (512 - 64) * (3 * D + 4 * V) * 4;
    expect(many.peak).toBeLessThan(few.peak + linear);
  });
});
