/** Reader of timm's golden files and generator of the synthetic weights they were made with.
 *  The files hold no weights: a stream of numbers seeded by a name gives every tensor. Made with timm 1.0.31 and torch
 *  2.13.0 in float64; format and generator are described where the files come from, and followed here exactly. */
import { readFileSync } from "node:fs";
import type { HostTensor } from "@lejepa/ops";

/** One golden file. */
export interface TimmGolden {
  readonly name: string;
  readonly img_size: readonly [number, number];
  readonly in_chans: number;
  readonly seed: string;
  readonly weight_gain: number;
  readonly input: { readonly key: string; readonly shape: readonly number[] };
  readonly parameter_count: number;
  readonly buffer_count: number;
  readonly parameters: readonly (readonly [string, readonly number[], Rule, "buffer"?])[];
  readonly expected: {
    readonly pooled: readonly (readonly number[])[];
    readonly max_abs: number;
    readonly float32_rel_dev: number;
  };
  readonly gradient?: {
    readonly weights_key: string;
    readonly weights_shape: readonly number[];
    readonly loss: number;
    readonly grads: Readonly<
      Record<string, { readonly shape: number[]; readonly norm: number; readonly first8: number[] }>
    >;
  };
}

type Rule = keyof typeof rules;

/** The value of an element from its number u in 0..1; w also needs the amplitude. */
const rules = {
  keep: () => 0,
  rm: (u: number) => 0.1 * (2 * u - 1),
  rv: (u: number) => 0.5 + u,
  pos: (u: number) => 0.1 * (2 * u - 1),
  nw: (u: number) => 1 + 0.1 * (2 * u - 1),
  b: (u: number) => 0.1 * (2 * u - 1),
  w: (u: number, amplitude: number) => amplitude * (2 * u - 1),
  unit: (u: number) => 2 * u - 1,
};

export function readGolden(name: string): TimmGolden {
  const file = new URL(`golden/timm-${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as TimmGolden;
}

/** The whole `state_dict` in PyTorch's layout. */
export function syntheticStateDict(golden: TimmGolden): Record<string, HostTensor> {
  return Object.fromEntries(
    golden.parameters.map(([name, shape, rule]) => [
      name,
      synthetic(`${golden.seed}:${name}`, shape, rule, golden.weight_gain),
    ]),
  );
}

/** One tensor of the generator. */
export function synthetic(key: string, shape: readonly number[], rule: Rule, gain = 1): HostTensor {
  const fanIn = shape.slice(1).reduce((product, length) => product * length, 1);
  const amplitude = gain * Math.sqrt(3 / fanIn);
  const next = mulberry32(fnv1a32(key));
  const value = rules[rule];
  const data = new Float32Array(shape.reduce((product, length) => product * length, 1));
  for (let i = 0; i < data.length; i++) {
    data[i] = value(next(), amplitude);
  }
  return { shape, data };
}

/** FNV-1a over the UTF-8 bytes of the key. */
export function fnv1a32(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** mulberry32: numbers in 0..1 from a 32-bit seed. */
export function mulberry32(seed: number): () => number {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
