/** Keeps the nearest few of many: a heap with the farthest on top. Of equally far ones those of lower index stay. */
export class NearestFew {
  readonly #distances: Float64Array;
  readonly #indices: Int32Array;
  #count = 0;

  /** @param few How many are kept. */
  constructor(few: number) {
    this.#distances = new Float64Array(few);
    this.#indices = new Int32Array(few);
  }

  /** Considers one more. */
  offer(distance: number, index: number): void {
    if (this.#count < this.#indices.length) {
      this.#rise(this.#count++, distance, index);
    } else if (isFarther(this.#distances[0]!, this.#indices[0]!, distance, index)) {
      this.#sink(distance, index);
    }
  }

  /** What was kept, nearest first. */
  sorted(): { readonly distances: Float64Array; readonly indices: Int32Array } {
    const order = Array.from({ length: this.#count }, (_, place) => place).sort((a, b) =>
      isFarther(this.#distances[a]!, this.#indices[a]!, this.#distances[b]!, this.#indices[b]!)
        ? 1
        : -1,
    );
    return {
      distances: Float64Array.from(order, (place) => this.#distances[place]!),
      indices: Int32Array.from(order, (place) => this.#indices[place]!),
    };
  }

  #put(place: number, distance: number, index: number): void {
    this.#distances[place] = distance;
    this.#indices[place] = index;
  }

  #rise(from: number, distance: number, index: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isFarther(distance, index, this.#distances[parent]!, this.#indices[parent]!)) break;
      this.#put(place, this.#distances[parent]!, this.#indices[parent]!);
      place = parent;
    }
    this.#put(place, distance, index);
  }

  #sink(distance: number, index: number): void {
    const [distances, indices] = [this.#distances, this.#indices];
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#count) break;
      const right = child + 1;
      if (
        right < this.#count &&
        isFarther(distances[right]!, indices[right]!, distances[child]!, indices[child]!)
      )
        child = right;
      if (!isFarther(distances[child]!, indices[child]!, distance, index)) break;
      this.#put(place, distances[child]!, indices[child]!);
      place = child;
    }
    this.#put(place, distance, index);
  }
}

/** Whether (distance, index) `a` comes after `b`. */
function isFarther(distanceA: number, indexA: number, distanceB: number, indexB: number): boolean {
  return distanceA > distanceB || (distanceA === distanceB && indexA > indexB);
}
