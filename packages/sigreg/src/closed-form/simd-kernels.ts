/** The inner loops as a WebAssembly module of some 2 kB, assembled from the expressions below when first needed.
 *  Four float32 to a vector, two vectors to a row of a panel; addresses are in bytes. */
import {
  assemble,
  f32x4,
  f64x2,
  FunctionBuilder,
  highHalf,
  i32,
  i32x4,
  load,
  loadSplat,
  repeat,
  store,
  type Code,
  type Local,
  type WasmFunction,
} from "./wasm-assembler.js";
import type { Kernels } from "./kernels.js";

const { add, subtract, multiply } = f32x4;
/** Bytes of a vector, of a row of a panel, and of four rows. */
const vector = 16;
const row = 2 * vector;
const quad = 4 * row;
const rowsOfQuad = [0, 1, 2, 3];
const halves = [0, 1];

/** Adds one term of a matrix product to a tile of 4 rows x 8 columns: `left(r)` is the row's factor in all lanes. */
function addOuterProduct(
  tile: readonly Local[],
  right: readonly Local[],
  factor: Local,
  left: (row: number) => Code,
): Code {
  return rowsOfQuad.flatMap((r) => [
    ...factor.set(left(r)),
    ...halves.flatMap((half) => {
      const sum = tile[2 * r + half]!;
      return sum.set(add(sum, multiply(factor, right[half]!)));
    }),
  ]);
}

function project(): WasmFunction {
  const f = new FunctionBuilder("project");
  const [z, a, p, quads, k] = [0, 1, 2, 3, 4].map(() => f.parameter("i32")) as FiveLocals;
  const [panel, steps] = [f.local("i32"), f.local("i32")];
  const tile = f.vectors(8);
  const right = f.vectors(2);
  const factor = f.local("v128");
  const unroll = [0, 1, 2, 3];
  return f.build(
    repeat(
      quads,
      panel.set(a.get),
      steps.set(k.get),
      ...tile.map((sum) => sum.set(f32x4.splat(zero))),
      repeat(
        steps,
        ...unroll.flatMap((i) => [
          ...halves.map((half) => right[half]!.set(load(panel, i * row + half * vector))),
          addOuterProduct(tile, right, factor, (r) => loadSplat(z, i * vector + r * 4)),
        ]),
        z.set(i32.add(z, 4 * vector)),
        panel.set(i32.add(panel, 4 * row)),
      ),
      ...tile.map((sum, i) => store(p, i * vector, sum)),
      p.set(i32.add(p, quad)),
    ),
  );
}

function backProject(): WasmFunction {
  const f = new FunctionBuilder("backProject");
  const [dp, b, dz, quads, panels] = [0, 1, 2, 3, 4].map(() => f.parameter("i32")) as FiveLocals;
  const [panelStride, rowStride] = [f.parameter("i32"), f.parameter("i32")];
  const [left, panel, steps, twice] = [0, 1, 2, 3].map(() => f.local("i32")) as FourLocals;
  const nextPanel = f.local("i32");
  const rows = [dz, f.local("i32"), f.local("i32"), f.local("i32")];
  const tile = f.vectors(8);
  const right = f.vectors(2);
  const factor = f.local("v128");
  return f.build(
    nextPanel.set(i32.subtract(panelStride, i32.constant(row))),
    repeat(
      quads,
      left.set(dp.get),
      panel.set(b.get),
      steps.set(panels.get),
      ...rowsOfQuad.slice(1).map((r) => rows[r]!.set(i32.add(rows[r - 1]!, rowStride))),
      ...tile.map((sum, i) => sum.set(load(rows[i >> 1]!, (i & 1) * vector))),
      repeat(
        steps,
        // Eight products in two goes of four, which keeps the module small.
        twice.set(i32.constant(2)),
        repeat(
          twice,
          ...[0, 1, 2, 3].flatMap((i) => [
            ...halves.map((half) => right[half]!.set(load(panel, i * row + half * vector))),
            addOuterProduct(tile, right, factor, (r) => loadSplat(left, r * row + i * 4)),
          ]),
          left.set(i32.add(left, vector)),
          panel.set(i32.add(panel, 4 * row)),
        ),
        left.set(i32.add(left, nextPanel)),
      ),
      ...tile.map((sum, i) => store(rows[i >> 1]!, (i & 1) * vector, sum)),
      dp.set(i32.add(dp, quad)),
      dz.set(i32.add(rows[3]!, rowStride)),
    ),
  );
}

type FourLocals = [Local, Local, Local, Local];
type FiveLocals = [Local, Local, Local, Local, Local];
const zero: Code = [0x43, 0, 0, 0, 0];

/** Constants of `toCosSin`, each in all four lanes of a vector, in this order in memory. */
const cosSinConstants = [
  "quartersPerUnit",
  "greatest",
  "least",
  "quarter1",
  "quarter2",
  "quarter3",
  "step",
  "one",
  "half",
  "bitOfTwo",
  "sin3",
  "sin5",
  "sin7",
  "cos4",
  "cos6",
  "cos8",
] as const;

/** Coefficients of sin and cos on [-pi/4, pi/4] after x and 1 - x²/2: minimax in relative error for sin (4e-9) and in
 *  absolute error for cos (1e-10), fitted by iteratively reweighted least squares. */
const polynomials = {
  sin3: -0.16666655,
  sin5: 0.00833218,
  sin7: -0.00019517,
  cos4: 4.16666469e-2,
  cos6: -1.38873669e-3,
  cos8: 2.44383793e-5,
};

function toCosSin(): WasmFunction {
  const f = new FunctionBuilder("toCosSin");
  const [p, sin, count, constants] = [0, 1, 2, 3].map(() => f.parameter("i32")) as FiveLocals;
  const [n, r, square, sine, cosine] = f.vectors(5) as FiveLocals;
  const [quarters, odd] = f.vectors(2) as [Local, Local];
  const constant = (name: (typeof cosSinConstants)[number]) =>
    load(constants, cosSinConstants.indexOf(name) * vector);
  const x = f.local("v128");
  return f.build(
    repeat(
      count,
      x.set(load(p)),
      // The angle less n quarter turns, computed in units of x, where n times the first two parts of a quarter turn is exact.
      n.set(f32x4.nearest(multiply(x, constant("quartersPerUnit")))),
      r.set(subtract(x, multiply(n, constant("quarter1")))),
      r.set(subtract(r, multiply(n, constant("quarter2")))),
      r.set(subtract(r, multiply(n, constant("quarter3")))),
      // Where n is too large for that, any angle is as good; NaN stays NaN.
      r.set(f32x4.greatest(f32x4.least(r, constant("greatest")), constant("least"))),
      r.set(multiply(r, constant("step"))),
      square.set(multiply(r, r)),
      sine.set(add(multiply(square, constant("sin7")), constant("sin5"))),
      sine.set(add(multiply(square, sine), constant("sin3"))),
      sine.set(add(r, multiply(multiply(r, square), sine))),
      cosine.set(add(multiply(square, constant("cos8")), constant("cos6"))),
      cosine.set(add(multiply(square, cosine), constant("cos4"))),
      cosine.set(
        add(
          subtract(constant("one"), multiply(square, constant("half"))),
          multiply(multiply(square, square), cosine),
        ),
      ),
      // Odd quarters swap the two; the sine changes sign in quarters 2 and 3, the cosine in 1 and 2.
      quarters.set(i32x4.fromFloats(n)),
      odd.set(i32x4.shiftRight(i32x4.shiftLeft(quarters, 31), 31)),
      store(
        sin,
        0,
        i32x4.xor(
          i32x4.select(cosine, sine, odd),
          i32x4.shiftLeft(i32x4.and(quarters, constant("bitOfTwo")), 30),
        ),
      ),
      store(
        p,
        0,
        i32x4.xor(
          i32x4.select(sine, cosine, odd),
          i32x4.shiftLeft(
            i32x4.and(i32x4.xor(quarters, i32x4.shiftLeft(quarters, 1)), constant("bitOfTwo")),
            30,
          ),
        ),
      ),
      p.set(i32.add(p, vector)),
      sin.set(i32.add(sin, vector)),
    ),
  );
}

/** (re, im) times (c, s). */
const rotate = (re: Local, im: Local, c: Local, s: Local, next: Local): Code[] => [
  next.set(subtract(multiply(re, c), multiply(im, s))),
  im.set(add(multiply(im, c), multiply(re, s))),
  re.set(next.get),
];

function addHarmonics(): WasmFunction {
  const f = new FunctionBuilder("addHarmonics");
  const [p, sin, from, to, sums] = [0, 1, 2, 3, 4].map(() => f.parameter("i32")) as FiveLocals;
  const rows = f.parameter("i32");
  const totals = f.vectors(8);
  const [c, s, re, im, next] = f.vectors(5) as FiveLocals;
  const harmonics = [0, 1, 2, 3];
  return f.build(
    repeat(
      rows,
      c.set(load(p)),
      s.set(load(sin)),
      re.set(load(from)),
      im.set(load(from, row)),
      ...harmonics.flatMap((h) => [
        ...rotate(re, im, c, s, next),
        totals[2 * h]!.set(add(totals[2 * h]!, re)),
        totals[2 * h + 1]!.set(add(totals[2 * h + 1]!, im)),
      ]),
      store(to, 0, re),
      store(to, row, im),
      p.set(i32.add(p, row)),
      sin.set(i32.add(sin, row)),
      from.set(i32.add(from, 2 * row)),
      to.set(i32.add(to, 2 * row)),
    ),
    // The sums are float64, eight to a row: twice the bytes of a panel's row.
    ...totals.flatMap((total, i) => [
      store(sums, i * 2 * row, f64x2.add(load(sums, i * 2 * row), f64x2.fromLow(total))),
      next.set(highHalf(total)),
      store(
        sums,
        i * 2 * row + vector,
        f64x2.add(load(sums, i * 2 * row + vector), f64x2.fromLow(next)),
      ),
    ]),
  );
}

function trigonometricSeries(): WasmFunction {
  const f = new FunctionBuilder("trigonometricSeries");
  const [p, sin, series, rows, fours] = [0, 1, 2, 3, 4].map(() => f.parameter("i32")) as FiveLocals;
  const [coefficients, steps] = [f.local("i32"), f.local("i32")];
  const chains = halves.map(() => f.vectors(5) as FiveLocals);
  const unroll = [0, 1, 2, 3];
  return f.build(
    repeat(
      rows,
      coefficients.set(series.get),
      steps.set(fours.get),
      ...chains.flatMap(([c, s, re, im], half) => [
        c.set(load(p, half * vector)),
        s.set(load(sin, half * vector)),
        re.set(f32x4.splat(zero)),
        im.set(f32x4.splat(zero)),
      ]),
      repeat(
        steps,
        ...unroll.flatMap((i) =>
          chains.flatMap(([c, s, re, im, next], half) => [
            ...rotate(re, im, c, s, next),
            re.set(add(re, load(coefficients, i * 2 * row + half * vector))),
            im.set(add(im, load(coefficients, i * 2 * row + row + half * vector))),
          ]),
        ),
        coefficients.set(i32.add(coefficients, 4 * 2 * row)),
      ),
      ...chains.map(([c, s, re, im], half) =>
        store(p, half * vector, subtract(multiply(re, c), multiply(im, s))),
      ),
      p.set(i32.add(p, row)),
      sin.set(i32.add(sin, row)),
    ),
  );
}

/** What the module exports; parameters as in `Kernels`, in bytes. */
interface Exports {
  project(z: number, a: number, p: number, quads: number, fours: number): void;
  toCosSin(p: number, sin: number, vectors: number, constants: number): void;
  addHarmonics(p: number, sin: number, from: number, to: number, at: number, rows: number): void;
  trigonometricSeries(p: number, sin: number, series: number, rows: number, fours: number): void;
  backProject(
    dp: number,
    b: number,
    dz: number,
    quads: number,
    panels: number,
    panelStride: number,
    rowStride: number,
  ): void;
}

/** What we use of the global `WebAssembly`, which is in every runtime and not in the types of ECMAScript. */
interface WebAssemblyLike {
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object, imports: object) => { readonly exports: unknown };
  Memory: new (limits: { initial: number }) => Memory;
}
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

let compiled: object | "unsupported" | undefined;

/** The module, compiled once; undefined where WebAssembly or its SIMD is missing. */
function simdModule(): { wasm: WebAssemblyLike; module: object } | undefined {
  const { WebAssembly: wasm } = globalThis as { WebAssembly?: WebAssemblyLike };
  if (wasm === undefined) return undefined;
  if (compiled === undefined)
    try {
      compiled = new wasm.Module(simdModuleBytes());
    } catch {
      compiled = "unsupported"; // A runtime without SIMD, or a page whose policy forbids compiling.
    }
  return compiled === "unsupported" ? undefined : { wasm, module: compiled };
}

/** The binary module. */
export function simdModuleBytes(): Uint8Array<ArrayBuffer> {
  return assemble([project(), toCosSin(), addHarmonics(), trigonometricSeries(), backProject()]);
}

/** The inner loops in WebAssembly, or undefined where it has no SIMD: use `PlainKernels` there. */
export function createSimdKernels(): Kernels | undefined {
  const found = simdModule();
  return found && new SimdKernels(found.wasm, found.module);
}

const pageBytes = 65_536;
/** Memory begins with the constants of `toCosSin`. */
const headBytes = cosSinConstants.length * vector;

class SimdKernels implements Kernels {
  heap = new Float32Array(0);
  sums = new Float64Array(0);
  readonly #memory: Memory;
  readonly #exports: Exports;

  constructor(wasm: WebAssemblyLike, module: object) {
    this.#memory = new wasm.Memory({ initial: 1 });
    const instance = new wasm.Instance(module, { host: { memory: this.#memory } });
    this.#exports = instance.exports as Exports;
    this.#view(0, 0);
  }

  reserve(numbers: number, sums: number): void {
    if (this.heap.length >= numbers && this.sums.length >= sums) return;
    this.#view(Math.max(numbers, this.heap.length), Math.max(sums, this.sums.length));
  }

  #view(numbers: number, sums: number): void {
    const heapAt = headBytes + 16 * Math.ceil(sums / 2);
    const missing = heapAt + 4 * numbers - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / pageBytes));
    this.sums = new Float64Array(this.#memory.buffer, headBytes, sums);
    this.heap = new Float32Array(this.#memory.buffer, heapAt, numbers);
  }

  setStep(step: number): void {
    const quarter = Math.PI / 2 / step;
    const quarter1 = leadingBits(quarter, 11);
    const quarter2 = leadingBits(quarter - quarter1, 11);
    const values = {
      quartersPerUnit: 1 / quarter,
      greatest: 0.501 * quarter,
      least: -0.501 * quarter,
      quarter1,
      quarter2,
      quarter3: quarter - quarter1 - quarter2,
      step,
      one: 1,
      half: 0.5,
      ...polynomials,
    };
    const floats = new Float32Array(this.#memory.buffer, 0, headBytes / 4);
    const bits = new Int32Array(this.#memory.buffer, 0, headBytes / 4);
    cosSinConstants.forEach((name, i) => {
      if (name === "bitOfTwo") bits.fill(2, 4 * i, 4 * i + 4);
      else floats.fill(values[name], 4 * i, 4 * i + 4);
    });
  }

  project(z: number, a: number, p: number, quads: number, k: number): void {
    this.#exports.project(this.#at(z), this.#at(a), this.#at(p), quads, k / 4);
  }

  toCosSin(p: number, sin: number, rows: number): void {
    this.#exports.toCosSin(this.#at(p), this.#at(sin), 2 * rows, 0);
  }

  addHarmonics(p: number, sin: number, from: number, to: number, at: number, rows: number): void {
    for (const half of halves)
      this.#exports.addHarmonics(
        this.#at(p) + half * vector,
        this.#at(sin) + half * vector,
        this.#at(from) + half * vector,
        this.#at(to) + half * vector,
        this.sums.byteOffset + 8 * at + half * row,
        rows,
      );
  }

  trigonometricSeries(
    p: number,
    sin: number,
    series: number,
    rows: number,
    harmonics: number,
  ): void {
    this.#exports.trigonometricSeries(
      this.#at(p),
      this.#at(sin),
      this.#at(series),
      rows,
      harmonics / 4,
    );
  }

  backProject(
    dp: number,
    b: number,
    dz: number,
    quads: number,
    panels: number,
    panelStride: number,
    rowStride: number,
  ): void {
    this.#exports.backProject(
      this.#at(dp),
      this.#at(b),
      this.#at(dz),
      quads,
      panels,
      4 * panelStride,
      4 * rowStride,
    );
  }

  #at(index: number): number {
    return this.heap.byteOffset + 4 * index;
  }
}

/** The number rounded to so many binary digits. */
function leadingBits(value: number, bits: number): number {
  if (value === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - bits + 1);
  return Math.round(value / unit) * unit;
}
