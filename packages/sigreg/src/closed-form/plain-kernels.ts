import { panelWidth, type Kernels } from "./kernels.js";

/** The inner loops in plain TypeScript and float64: for float64 input, and where there is no WebAssembly SIMD. */
export class PlainKernels implements Kernels {
  heap = new Float64Array(0);
  sums = new Float64Array(0);
  #step = 0;

  reserve(numbers: number, sums: number): void {
    if (this.heap.length < numbers) this.heap = new Float64Array(numbers);
    if (this.sums.length < sums) this.sums = new Float64Array(sums);
  }

  setStep(step: number): void {
    this.#step = step;
  }

  project(z: number, a: number, p: number, quads: number, k: number): void {
    const { heap } = this;
    for (let quad = 0; quad < quads; quad++)
      for (let column = 0; column < panelWidth; column++) {
        let s0 = 0,
          s1 = 0,
          s2 = 0,
          s3 = 0;
        let row = z + quad * k * 4;
        for (let i = a + column; i < a + k * panelWidth; i += panelWidth, row += 4) {
          const weight = heap[i]!;
          s0 += heap[row]! * weight;
          s1 += heap[row + 1]! * weight;
          s2 += heap[row + 2]! * weight;
          s3 += heap[row + 3]! * weight;
        }
        const out = p + quad * 4 * panelWidth + column;
        heap[out] = s0;
        heap[out + panelWidth] = s1;
        heap[out + 2 * panelWidth] = s2;
        heap[out + 3 * panelWidth] = s3;
      }
  }

  toCosSin(p: number, sin: number, rows: number): void {
    const { heap } = this;
    for (let i = 0; i < rows * panelWidth; i++) {
      const angle = heap[p + i]! * this.#step;
      heap[p + i] = Math.cos(angle);
      heap[sin + i] = Math.sin(angle);
    }
  }

  addHarmonics(p: number, sin: number, from: number, to: number, at: number, rows: number): void {
    const { heap, sums } = this;
    for (let column = 0; column < panelWidth; column++) {
      let c1 = 0,
        s1 = 0,
        c2 = 0,
        s2 = 0,
        c3 = 0,
        s3 = 0,
        c4 = 0,
        s4 = 0;
      for (let row = 0; row < rows; row++) {
        const one = row * panelWidth + column;
        const both = 2 * row * panelWidth + column;
        const c = heap[p + one]!,
          s = heap[sin + one]!;
        let re = heap[from + both]!,
          im = heap[from + both + panelWidth]!;
        let next = re * c - im * s;
        im = im * c + re * s;
        re = next;
        c1 += re;
        s1 += im;
        next = re * c - im * s;
        im = im * c + re * s;
        re = next;
        c2 += re;
        s2 += im;
        next = re * c - im * s;
        im = im * c + re * s;
        re = next;
        c3 += re;
        s3 += im;
        next = re * c - im * s;
        im = im * c + re * s;
        re = next;
        c4 += re;
        s4 += im;
        heap[to + both] = re;
        heap[to + both + panelWidth] = im;
      }
      const first = at + column;
      sums[first] = sums[first]! + c1;
      sums[first + panelWidth] = sums[first + panelWidth]! + s1;
      sums[first + 2 * panelWidth] = sums[first + 2 * panelWidth]! + c2;
      sums[first + 3 * panelWidth] = sums[first + 3 * panelWidth]! + s2;
      sums[first + 4 * panelWidth] = sums[first + 4 * panelWidth]! + c3;
      sums[first + 5 * panelWidth] = sums[first + 5 * panelWidth]! + s3;
      sums[first + 6 * panelWidth] = sums[first + 6 * panelWidth]! + c4;
      sums[first + 7 * panelWidth] = sums[first + 7 * panelWidth]! + s4;
    }
  }

  trigonometricSeries(
    p: number,
    sin: number,
    series: number,
    rows: number,
    harmonics: number,
  ): void {
    const { heap } = this;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < panelWidth; column++) {
        const one = row * panelWidth + column;
        const c = heap[p + one]!,
          s = heap[sin + one]!;
        let re = 0,
          im = 0;
        let coefficient = series + column;
        for (let h = 0; h < harmonics; h++, coefficient += 2 * panelWidth) {
          // Horner's rule in exp(i a).
          const next = re * c - im * s + heap[coefficient]!;
          im = im * c + re * s + heap[coefficient + panelWidth]!;
          re = next;
        }
        heap[p + one] = re * c - im * s;
      }
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
    const { heap } = this;
    for (let quad = 0; quad < quads; quad++)
      for (let column = 0; column < panelWidth; column++) {
        const out = dz + quad * 4 * rowStride + column;
        let s0 = heap[out]!,
          s1 = heap[out + rowStride]!,
          s2 = heap[out + 2 * rowStride]!,
          s3 = heap[out + 3 * rowStride]!;
        for (let panel = 0; panel < panels; panel++) {
          const rows = dp + panel * panelStride + quad * 4 * panelWidth;
          const weights = b + panel * panelWidth * panelWidth + column;
          for (let i = 0; i < panelWidth; i++) {
            const weight = heap[weights + i * panelWidth]!;
            s0 += heap[rows + i]! * weight;
            s1 += heap[rows + panelWidth + i]! * weight;
            s2 += heap[rows + 2 * panelWidth + i]! * weight;
            s3 += heap[rows + 3 * panelWidth + i]! * weight;
          }
        }
        heap[out] = s0;
        heap[out + rowStride] = s1;
        heap[out + 2 * rowStride] = s2;
        heap[out + 3 * rowStride] = s3;
      }
  }
}
