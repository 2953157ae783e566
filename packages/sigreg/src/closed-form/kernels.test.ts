import { randomUniform } from "d3-random";
import seedrandom from "seedrandom";
import { describe, expect, test, vi } from "vitest";
import { panelWidth } from "./kernels.js";
import { PlainKernels } from "./plain-kernels.js";
import { createSimdKernels, simdModuleBytes } from "./simd-kernels.js";

function simdKernels() {
  const kernels = createSimdKernels();
  if (kernels === undefined) throw new Error("this runtime has no WebAssembly SIMD");
  return kernels;
}
const uniform = (key: string, count: number, top: number) =>
  Array.from({ length: count }, randomUniform.source(seedrandom.alea(key))(-top, top));

test("the module is small enough to be compiled at once by any browser: below 4 kB", () => {
  expect(simdModuleBytes().length).toBeLessThan(4096);
});

describe("cosines and sines", () => {
  const rows = 512;
  const count = rows * panelWidth;

  /** The greatest error for numbers of the heap times the step. */
  function greatestError(values: readonly number[], step: number): number {
    const kernels = simdKernels();
    kernels.reserve(2 * count, 0);
    kernels.setStep(step);
    kernels.heap.set(values);
    const x = kernels.heap.slice(0, count);
    kernels.toCosSin(0, count, rows);
    return Math.max(
      ...Array.from(x, (value, i) =>
        Math.hypot(
          kernels.heap[i]! - Math.cos(value * step),
          kernels.heap[count + i]! - Math.sin(value * step),
        ),
      ),
    );
  }

  const steps = [3 / 16, 5 / 16, 5 / 32, 1 / 4, 10 / 15 / 2, 3, 0.01];
  test.each(steps)("are within 1.7e-7 for angles up to 12,000 at step %d", (step) => {
    for (const angle of [1e-6, 0.7, 4, 40, 1000, 12_000])
      expect(greatestError(uniform(`angle ${angle}`, count, angle / step), step)).toBeLessThan(
        1.7e-7,
      );
  });

  test("of larger numbers are in [-1, 1], and those of NaN and infinity are NaN", () => {
    const kernels = simdKernels();
    kernels.reserve(2 * panelWidth, 0);
    kernels.setStep(3 / 16);
    kernels.heap.set([1e5, -1e6, 1e10, 3e38, -3e38, NaN, Infinity, -Infinity]);
    kernels.toCosSin(0, panelWidth, 1);
    for (const at of [0, panelWidth]) {
      const values = [...kernels.heap.slice(at, at + panelWidth)];
      expect(values.slice(0, 5).every((value) => Math.abs(value) <= 1)).toBe(true);
      expect(values.slice(5)).toEqual([NaN, NaN, NaN]);
    }
  });
});

describe.each([
  ["WebAssembly", simdKernels, 5],
  ["plain TypeScript", () => new PlainKernels(), 14],
] as const)("matrix products in %s", (_, create, digits) => {
  const [quads, k] = [2, 8];
  const rows = 4 * quads;

  test("project quads on a panel", () => {
    const kernels = create();
    const [z, a, p] = [0, rows * k, rows * k + k * panelWidth];
    kernels.reserve(p + rows * panelWidth, 0);
    const { heap } = kernels;
    heap.set(uniform("z", rows * k, 1), z);
    heap.set(uniform("a", k * panelWidth, 1), a);
    kernels.project(z, a, p, quads, k);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < panelWidth; column++) {
        let expected = 0;
        for (let i = 0; i < k; i++)
          expected +=
            heap[z + (row >> 2) * 4 * k + 4 * i + (row & 3)]! * heap[a + i * panelWidth + column]!;
        expect(heap[p + row * panelWidth + column]).toBeCloseTo(expected, digits);
      }
  });

  test("add panels times a transposed panel to rows", () => {
    const kernels = create();
    const [panels, stride] = [2, 24];
    const b = panels * rows * panelWidth;
    const dz = b + panels * panelWidth * panelWidth;
    kernels.reserve(dz + rows * stride, 0);
    const { heap } = kernels;
    heap.set(uniform("dp", b, 1), 0);
    heap.set(uniform("b", dz - b, 1), b);
    heap.fill(2, dz, dz + rows * stride);
    kernels.backProject(0, b, dz + 8, quads, panels, rows * panelWidth, stride);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < stride; column++) {
        let expected = 2;
        if (column >= 8 && column < 16)
          for (let i = 0; i < panels * panelWidth; i++)
            expected +=
              heap[(i >> 3) * rows * panelWidth + row * panelWidth + (i & 7)]! *
              heap[b + i * panelWidth + column - 8]!;
        expect(heap[dz + row * stride + column]).toBeCloseTo(expected, digits);
      }
  });
});

test("without WebAssembly, or without its SIMD, there are no such kernels", async () => {
  try {
    vi.resetModules();
    vi.stubGlobal("WebAssembly", undefined);
    const missing = await import("./simd-kernels.js");
    expect(missing.createSimdKernels()).toBeUndefined();
    vi.stubGlobal("WebAssembly", {
      Module: class {
        constructor() {
          throw new Error("invalid opcode 0xfd");
        }
      },
    });
    expect(missing.createSimdKernels()).toBeUndefined();
  } finally {
    vi.unstubAllGlobals();
  }
});
