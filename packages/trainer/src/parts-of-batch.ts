/** The images of each process, copied: view by view its part of the N images that there are of each view. */
export function partsOfBatch(
  images: Float32Array,
  views: number,
  counts: readonly number[],
): Float32Array<ArrayBuffer>[] {
  const size = counts.reduce((a, b) => a + b, 0);
  const pixels = images.length / (views * size);
  let begin = 0;
  return counts.map((count) => {
    const part = new Float32Array(views * count * pixels);
    for (let view = 0; view < views; view++) {
      const from = (view * size + begin) * pixels;
      part.set(images.subarray(from, from + count * pixels), view * count * pixels);
    }
    begin += count;
    return part;
  });
}
