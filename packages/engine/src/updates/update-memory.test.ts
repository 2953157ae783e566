import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import wabt from "wabt";
import { adamwModule } from "./adamw-module.js";
import { updateMemory, type Update, type UpdateMemory } from "./update-memory.js";

afterEach(() => vi.unstubAllGlobals());

/** Numbers between -1 and 1, by the sine of their place. */
const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(seed + 1.7 * i));

const tensors = (length: number) =>
  new Map([
    ["before", numbers(3, 5)],
    ["p", numbers(length, 1)],
    ["m", numbers(length, 2)],
    ["v", numbers(length, 3).map((x) => x * x)],
    ["after", numbers(3, 6)],
  ]);

const update = (length: number): Update => ({
  parameter: "p",
  mean: "m",
  square: "v",
  gradient: numbers(length, 4),
  stepSize: Math.fround(3e-3),
  epsilon: Math.fround(1e-8),
  decay: Math.fround(0.999),
  beta1: 0.9,
  beta2: 0.999,
});

/** The memory of a runtime without WebAssembly. */
function plainMemory(arrays: ReadonlyMap<string, Float32Array>): UpdateMemory {
  vi.stubGlobal("WebAssembly", undefined);
  const memory = updateMemory(arrays);
  vi.unstubAllGlobals();
  return memory;
}

const bits = ({ tensors }: UpdateMemory) =>
  Array.from(tensors, ([name, data]) => [name, ...new Int32Array(data.slice().buffer)]);

test("the module is what its text says", async () => {
  const text = readFileSync(new URL("./adamw.wat", import.meta.url), "utf8");
  const { buffer } = (await wabt()).parseWat("adamw.wat", text, { simd: true }).toBinary({});
  expect(Buffer.from(buffer).toString("base64")).toBe(adamwModule);
});

test("an update is that of AdamW", () => {
  const memory = updateMemory(
    new Map([
      ["p", Float32Array.of(2, 10)],
      ["m", Float32Array.of(1, 0)],
      ["v", Float32Array.of(4, 0)],
    ]),
  );
  const scalars = { stepSize: 2, epsilon: 1, decay: 0.5, beta1: 0.5, beta2: 0.75 };
  const gradient = Float32Array.of(5, 0);
  memory.apply({ parameter: "p", mean: "m", square: "v", gradient, ...scalars });
  // m' = 0.5 + 2.5 = 3, v' = 3 + 25 / 4 = 9.25; without a gradient only the decay is left.
  const change = Math.fround(3 / Math.fround(Math.fround(Math.sqrt(9.25)) + 1));
  expect([...memory.tensors.get("m")!]).toEqual([3, 0]);
  expect([...memory.tensors.get("v")!]).toEqual([9.25, 0]);
  expect([...memory.tensors.get("p")!]).toEqual([Math.fround(1 - 2 * change), 5]);
});

describe.each([1, 4, 5, 2047, 2048, 2049, 10_001])("of %i elements", (length) => {
  test("both memories make the same bits of an update, and change nothing else", () => {
    const given = tensors(length);
    const [simd, plain] = [updateMemory(given), plainMemory(tensors(length))];
    for (const memory of [simd, plain]) for (let i = 0; i < 3; i++) memory.apply(update(length));
    expect(simd.tensors.get("p")!.buffer.byteLength).toBeGreaterThan(4 * length);
    expect(bits(simd)).toEqual(bits(plain));
    expect([...simd.tensors.get("p")!]).not.toEqual([...given.get("p")!]);
    expect([...simd.tensors.get("before")!, ...simd.tensors.get("after")!]).toEqual([
      ...numbers(3, 5),
      ...numbers(3, 6),
    ]);
  });

  test("what is not finite stays where it is", () => {
    const gradient = numbers(length, 4);
    gradient[0] = NaN;
    if (length > 4) gradient[4] = Infinity;
    for (const memory of [updateMemory(tensors(length)), plainMemory(tensors(length))]) {
      memory.apply({ ...update(length), gradient });
      const odd = Array.from(memory.tensors.get("p")!.keys()).filter(
        (i) => !Number.isFinite(memory.tensors.get("p")![i]),
      );
      expect(odd).toEqual(length > 4 ? [0, 4] : [0]);
    }
  });
});

test("a tensor without elements has nothing to update", () => {
  for (const memory of [updateMemory(tensors(0)), plainMemory(tensors(0))]) {
    memory.apply(update(0));
    expect([...memory.tensors.get("before")!]).toEqual([...numbers(3, 5)]);
  }
});

test("where so much memory is not to be had, plain arrays do", () => {
  const { WebAssembly: wasm } = globalThis as unknown as {
    WebAssembly: Readonly<Record<"Module" | "Instance", unknown>>;
  };
  const Memory = class {
    constructor() {
      throw new RangeError("could not allocate memory");
    }
  };
  vi.stubGlobal("WebAssembly", { Module: wasm.Module, Instance: wasm.Instance, Memory });
  const memory = updateMemory(tensors(5));
  vi.unstubAllGlobals();
  const plain = plainMemory(tensors(5));
  for (const each of [memory, plain]) each.apply(update(5));
  expect(memory.tensors.get("p")!.buffer.byteLength).toBe(4 * 5);
  expect(bits(memory)).toEqual(bits(plain));
});
