/** Items that are being read, or wait for their views to be made: enough to keep a decoder busy while views are made,
 *  few enough that a batch of photographs is not decoded as a whole. */
export const ahead = 4;

/** The items of these indices in order, read a few ahead of whoever takes them: beside the one taken, at most four live.
 *  Rejects with what reading the first item that fails rejects with; none is asked for after that. */
export async function* readAhead<Item>(
  indices: Int32Array,
  read: (index: number) => Item | Promise<Item>,
): AsyncGenerator<Item, void, undefined> {
  const reading: Promise<Item>[] = [];
  let next = 0;
  while (next < indices.length || reading.length > 0) {
    while (next < indices.length && reading.length < ahead) {
      const index = indices[next++]!;
      const item = (async () => read(index))();
      // Whoever awaits it sees the error; until then it must not count as unhandled.
      item.catch(() => undefined);
      reading.push(item);
    }
    yield await reading.shift()!;
  }
}
