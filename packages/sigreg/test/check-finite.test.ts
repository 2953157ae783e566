import { describe, expect, test } from "vitest";
import { lejepaLoss, sigreg, type NotFiniteError } from "@lejepa/sigreg";
import { unsupported } from "@lejepa/tensor/error";
import { float64Adapter, type Float64Tensor } from "@lejepa/tensor/float64";

const k = float64Adapter();
const [V, N, D, M] = [2, 4, 3, 5];
const count = V * N * D;

/** Projections of small numbers, one of them replaced. */
function projections(at?: number, value = 0): Float64Tensor {
  const data = Array.from({ length: count }, (_, i) => Math.sin(i));
  if (at !== undefined) data[at] = value;
  return k.fromArray(data, [V, N, D]);
}
const a = k.fill([D, M], 1 / Math.sqrt(3));

/** The error that a call throws. */
function thrown(call: () => unknown): NotFiniteError {
  try {
    call();
  } catch (error) {
    return error as NotFiniteError;
  }
  throw new Error("the call returned");
}

const loss = (z: Float64Tensor, directions = a) =>
  lejepaLoss(k, z, directions, { check: "finite" });

describe('check: "finite"', () => {
  test("lets finite values pass, unchanged", () => {
    expect(loss(projections())).toEqual(lejepaLoss(k, projections(), a));
    expect(sigreg(k, projections(), a, { check: "finite" })).toEqual(
      sigreg(k, projections(), a, { check: "none" }),
    );
  });

  test("is not the default", () => {
    expect(lejepaLoss(k, projections(7, NaN), a).loss.data[0]).toBeNaN();
    expect(sigreg(k, projections(7, NaN), a).data[0]).toBeNaN();
  });

  test.each([NaN, Infinity, -Infinity])("says where the projections are %d", (value) => {
    // Entry 19 of [2, 4, 3] is [1, 2, 1].
    expect(thrown(() => loss(projections(19, value)))).toMatchObject({
      name: "LejepaError",
      code: "not-finite",
      term: "projections",
      index: [1, 2, 1],
      value,
      message: `lejepaLoss: projections is ${value} at [1, 2, 1] of [2, 4, 3]. Look at the layers and the batch that it comes from.`,
    });
  });

  test("says where the embeddings and the directions of sigreg are not", () => {
    expect(thrown(() => sigreg(k, projections(0, NaN), a, { check: "finite" }))).toMatchObject({
      code: "not-finite",
      term: "embeddings",
      index: [0, 0, 0],
    });
    const broken = k.fromArray([...a.data.slice(0, 8), NaN, ...a.data.slice(9)], [D, M]);
    for (const call of [
      () => loss(projections(), broken),
      () => sigreg(k, projections(), broken, { check: "finite" }),
    ])
      expect(thrown(call)).toMatchObject({ code: "not-finite", term: "directions", index: [1, 3] });
  });

  test("says which term overflows, and where", () => {
    // The square of 1e200 is not a number of float64; the sum of four of 1e154 squared is not, they are.
    expect(thrown(() => loss(projections(5, 1e200)))).toMatchObject({
      code: "not-finite",
      term: "prediction",
      index: [0, 1, 2],
      value: Infinity,
    });
    expect(
      thrown(() => loss(k.fromArray([1.3e154, -1.3e154], [2, 1, 1]), k.fill([1, 1], 1))),
    ).toMatchObject({ code: "not-finite", term: "prediction", index: [], value: Infinity });
    // 1e308 along two axes add up to more than there is, in the second of five directions alone.
    const z = k.fill([1, 4, 2], 1e308);
    const two = k.fromArray([1, 1, 1, 0, 0, 0, 1, 0, 1, 1], [2, 5]);
    expect(thrown(() => sigreg(k, z, two, { check: "finite", chunk: 2 }))).toMatchObject({
      code: "not-finite",
      term: "sigreg",
      index: [0, 1],
    });
  });

  test("says when only the combination overflows", () => {
    // SIGReg of a hundred samples at 3 is far above 1, so that this lambda times it is beyond the largest number.
    const z = k.fill([1, 100, 1], 3);
    const call = () =>
      lejepaLoss(k, z, k.fill([1, 1], 1), {
        combine: "additive",
        lambda: 1.7e308,
        check: "finite",
      });
    expect(thrown(call)).toMatchObject({ code: "not-finite", term: "loss", index: [] });
  });

  test("works inside a gradient", () => {
    const { grads } = k.valueAndGrad((z) => loss(z).loss, [projections()]);
    expect(grads[0]!.data.every(Number.isFinite)).toBe(true);
    expect(thrown(() => k.valueAndGrad((z) => loss(z).loss, [projections(2, NaN)]))).toMatchObject({
      term: "projections",
      index: [0, 0, 2],
    });
  });

  test("needs an adapter that can read at once", () => {
    const blind: typeof k = {
      ...k,
      capabilities: ["valueAndGrad"],
      readSync: () => unsupported("float64", "readSync"),
    };
    const error = thrown(() => lejepaLoss(blind, projections(), a, { check: "finite" }));
    expect([error.code, error.message]).toEqual([
      "unsupported",
      'lejepaLoss: check "finite" looks at values at once, and the float64 adapter has no readSync. ' +
        "Leave check out, and look at the result of adapter.read instead.",
    ]);
  });
});
