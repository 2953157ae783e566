/** The inner loops of the closed form, as two sets of functions over one array: plain TypeScript in float64
 *  (plain-kernels.ts) and WebAssembly SIMD in float32 (simd-kernels.ts).
 *
 *  Layouts, all of float numbers, places being indices into `heap`:
 *    panel   [rows][8]      eight neighbouring columns of a matrix, or slices
 *    quads   [rows/4][K][4] a matrix [rows, K], four rows at a time
 *  Rows are padded to a multiple of 4, K and columns of a panel to a multiple of 8 with zeros. */
export interface Kernels {
  /** The numbers that the functions work on. Growing it replaces the array. */
  readonly heap: Float32Array | Float64Array;
  /** Sums over samples, apart because they are float64 in both sets: [harmonics][cos, sin][8]. */
  readonly sums: Float64Array;
  /** Makes room for this many numbers and sums. What `heap` and `sums` held is lost. */
  reserve(numbers: number, sums: number): void;

  /** P = Z A for one panel of A: quads z, panel a [K][8] -> panel p. K a multiple of 4. */
  project(z: number, a: number, p: number, quads: number, k: number): void;
  /** x -> cos(step x) in place, sin(step x) to another panel; step is that of `setStep`. */
  toCosSin(p: number, sin: number, rows: number): void;
  /** Sets the step of `toCosSin`. */
  setStep(step: number): void;
  /** Adds sums over rows of the next four harmonics to sums[at...].
   *  `from` and `to` are panels with cosine and sine [rows][2][8] of the harmonic before the first and of the last. */
  addHarmonics(p: number, sin: number, from: number, to: number, at: number, rows: number): void;
  /** Replaces the cosines by sum_h u_h cos(h a) + v_h sin(h a); series [harmonics][u, -v][8], the highest first. */
  trigonometricSeries(
    p: number,
    sin: number,
    series: number,
    rows: number,
    harmonics: number,
  ): void;
  /** dZ += dP Bᵀ for eight columns of dZ: `panels` panels of dP, each `panelStride` after the one before, and the panel
   *  b [8 panels][8] of A's transpose -> rows of dz, `rowStride` apart. */
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

/** Columns of a panel. */
export const panelWidth = 8;
/** Rows that `addHarmonics` takes at once at most; float32 sums are turned into float64 after so many. */
export const chunkRows = 64;
