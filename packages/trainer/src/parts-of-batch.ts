import type { Batch, BatchGroup } from "@lejepa/data";

/** The parts of a batch for processes of so many images each, copied: view by view its images, with their indices and
 *  labels. */
export function partsOfBatch(batch: Batch, counts: readonly number[]): Batch[] {
  let begin = 0;
  return counts.map((size) => {
    const [from, to] = [begin, begin + size];
    begin = to;
    return {
      ...batch,
      size,
      groups: batch.groups.map((group) => partOfGroup(group, batch.size, from, to)) as [
        BatchGroup,
        ...BatchGroup[],
      ],
      indices: batch.indices.slice(from, to),
      labels: batch.labels?.slice(from, to),
    };
  });
}

function partOfGroup(group: BatchGroup, size: number, from: number, to: number): BatchGroup {
  const { views, images, shape } = group;
  const [, height, width, channels] = shape;
  const pixels = height * width * channels;
  const count = to - from;
  const length = views * count * pixels;
  const part = images instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  for (let view = 0; view < views; view++) {
    const first = view * size;
    part.set(
      images.subarray((first + from) * pixels, (first + to) * pixels),
      view * count * pixels,
    );
  }
  return { ...group, shape: [views * count, height, width, channels], images: part };
}

/** The memory of a batch that is given away. */
export function buffersOf({ groups, indices, labels }: Batch): ArrayBuffer[] {
  const arrays = [...groups.map(({ images }) => images), indices, ...(labels ? [labels] : [])];
  return arrays.map(({ buffer }) => buffer as ArrayBuffer);
}
