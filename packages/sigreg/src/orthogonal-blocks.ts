/** Makes each block of D vectors of dimension D orthonormal, by the method of Gram and Schmidt in its modified form.
 *  Gaussian vectors become blocks uniform among all orthonormal ones, each vector uniform on the sphere.
 *  @param vectors Vectors of the same dimension, independent within a block. */
export function* orthogonalBlocks(vectors: Iterable<Float64Array>): Generator<Float64Array> {
  let block: Float64Array[] = [];
  for (const vector of vectors) {
    if (block.length === vector.length) block = [];
    const rest = vector.slice();
    for (const unit of block) addMultiple(rest, -product(unit, rest), unit);
    const scale = 1 / Math.sqrt(product(rest, rest));
    const unit = rest.map((value) => value * scale);
    block.push(unit);
    yield unit;
  }
}

function product(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function addMultiple(to: Float64Array, factor: number, of: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + factor * (of[i] as number);
}
