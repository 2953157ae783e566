import { expect, test } from "vitest";
import { NearestFew } from "./nearest-few.js";

test.each([1, 2, 3, 7, 50, 80])(
  "the nearest %i of fifty are those of sorting all of them",
  (few) => {
    // Distances 0 to 12 in an order without pattern: most of them are there several times.
    const all = Array.from({ length: 50 }, (_, index) => ({ distance: (index * 31) % 13, index }));
    const nearest = new NearestFew(few);
    for (const { distance, index } of all) nearest.offer(distance, index);
    const expected = [...all]
      .sort((a, b) => a.distance - b.distance || a.index - b.index)
      .slice(0, few);
    const { distances, indices } = nearest.sorted();
    expect([...distances]).toEqual(expected.map(({ distance }) => distance));
    expect([...indices]).toEqual(expected.map(({ index }) => index));
  },
);

test("of equally far ones that come in any order those of lower index stay", () => {
  const nearest = new NearestFew(2);
  for (const index of [5, 3, 9, 1, 4]) nearest.offer(1, index);
  expect([...nearest.sorted().indices]).toEqual([1, 3]);
});
