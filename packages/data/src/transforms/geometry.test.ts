import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { composed, gridPoints, type CoordinateMap } from "../coordinate-map.js";
import { padImage, type Image } from "../image.js";
import { randomOf } from "../random.js";
import { resample } from "../resample.js";
import { affineMap } from "./affine.js";
import { elasticMap } from "./elastic.js";
import { flipMap } from "./horizontal-flip.js";
import { cropMap, drawWindow } from "./random-resized-crop.js";

const identity = { angle: 0, scale: 1, aspect: 1, shear: 0, shiftX: 0, shiftY: 0 };

/** A grey image from its rows. */
const grey = (...rows: number[][]): Image => ({
  height: rows.length,
  width: rows[0]!.length,
  channels: 1,
  data: Float32Array.from(rows.flat()),
});

/** The image moved by a map, as rows of numbers. */
function moved(image: Image, map: CoordinateMap, size = image): number[][] {
  const { height, width, channels } = image;
  const points = gridPoints(size);
  map(points);
  const padded = new Float32Array((height + 2) * (width + 2) * channels);
  padImage(image, padded);
  const output = new Float32Array(size.height * size.width * channels);
  resample(padded, image, channels, points, output);
  const row = size.width * channels;
  return Array.from({ length: size.height }, (_, y) => [...output.slice(y * row, (y + 1) * row)]);
}

const three = grey([1, 2, 3], [4, 5, 6], [7, 8, 9]);

describe("affine", () => {
  test("with the identity's parameters leaves every pixel exactly as it is", () => {
    expect(moved(three, affineMap(identity, three))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
  });

  test("turns clockwise as seen for positive angles", () => {
    const quarter = moved(three, affineMap({ ...identity, angle: Math.PI / 2 }, three));
    expect(quarter.flat().map(Math.round)).toEqual([7, 4, 1, 8, 5, 2, 9, 6, 3]);
  });

  test("shifts content right and down, and brings zeros in", () => {
    const shifted = moved(three, affineMap({ ...identity, shiftX: 1, shiftY: 1 }, three));
    expect(shifted).toEqual([
      [0, 0, 0],
      [0, 1, 2],
      [0, 4, 5],
    ]);
  });

  test("half a pixel of shift is the mean of two neighbours", () => {
    expect(
      moved(grey([2, 4, 8]), affineMap({ ...identity, shiftX: 0.5 }, { height: 1, width: 3 })),
    ).toEqual([[1, 3, 6]]);
  });

  test("a scale of 3 about the centre shows thirds of the middle pixels", () => {
    const [row] = moved(
      grey([0, 0, 3, 0, 0]),
      affineMap({ ...identity, scale: 3 }, { height: 1, width: 5 }),
    );
    [1, 2, 3, 2, 1].forEach((value, i) => expect(row![i]).toBeCloseTo(value, 6));
  });

  test("aspect 4 doubles widths and halves heights", () => {
    const points = gridPoints({ height: 1, width: 5 });
    affineMap({ ...identity, aspect: 4 }, { height: 1, width: 5 })(points);
    expect([...points.x]).toEqual([1, 1.5, 2, 2.5, 3]);
  });

  test("shear 1 moves the row above the centre right by one column", () => {
    const sheared = moved(
      grey([0, 1, 0], [0, 1, 0], [0, 1, 0]),
      affineMap({ ...identity, shear: 1 }, three),
    );
    expect(sheared).toEqual([
      [0, 0, 1],
      [0, 1, 0],
      [1, 0, 0],
    ]);
  });
});

describe("flip", () => {
  test("mirrors rows, also of colour images", () => {
    const colour: Image = {
      height: 1,
      width: 2,
      channels: 3,
      data: Uint8Array.of(255, 0, 0, 0, 0, 255),
    };
    expect(moved(colour, flipMap(colour))).toEqual([[0, 0, 1, 1, 0, 0]]);
  });

  test("twice is the identity", () => {
    const map = flipMap(three);
    expect(moved(three, composed([map, map]))).toEqual(moved(three, () => undefined));
  });
});

describe("crop", () => {
  test("of the whole image to the same size is the identity", () => {
    const whole = { top: 0, left: 0, height: 3, width: 3 };
    expect(moved(three, cropMap(whole, three))).toEqual(moved(three, () => undefined));
  });

  test("takes the window", () => {
    const window = { top: 1, left: 1, height: 2, width: 2 };
    expect(
      moved(three, cropMap(window, { height: 2, width: 2 }), { ...three, height: 2, width: 2 }),
    ).toEqual([
      [5, 6],
      [8, 9],
    ]);
  });

  test("stretches without seeing pixels outside the window, nor darkening its edge", () => {
    const window = { top: 0, left: 1, height: 1, width: 2 };
    const wide = moved(grey([100, 2, 4, 100]), cropMap(window, { height: 1, width: 4 }));
    expect(wide).toEqual([[2, 2.5, 3.5, 4]]);
  });

  test("shows nothing of the rest of the image to a transform after it", () => {
    const window = { top: 0, left: 1, height: 1, width: 2 };
    const map = composed([
      cropMap(window, { height: 1, width: 2 }),
      affineMap({ ...identity, shiftX: 1 }, { height: 1, width: 2 }),
    ]);
    expect(moved(grey([9, 2, 4, 9]), map, { ...three, height: 1, width: 2 })).toEqual([[0, 2]]);
  });

  const golden = JSON.parse(
    readFileSync(new URL("../../test/golden/random-resized-crop.json", import.meta.url), "utf8"),
  ) as {
    cases: {
      id: string;
      inputs: { uniforms: number[] };
      options: {
        height: number;
        width: number;
        scale: [number, number];
        ratio: [number, number];
      };
      expected: {
        top: number;
        left: number;
        height: number;
        width: number;
        uniformsUsed: number;
      };
    }[];
  };
  test("has 28 cases of torchvision 0.28", () => expect(golden.cases).toHaveLength(28));
  test.each(golden.cases)("draws torchvision's window: $id", ({ inputs, options, expected }) => {
    let used = 0;
    const window = drawWindow(
      () => inputs.uniforms[used++]!,
      options,
      options.scale,
      options.ratio,
    );
    const { top, left, height, width, uniformsUsed } = expected;
    expect({ ...window, uniformsUsed: used }).toEqual({ top, left, height, width, uniformsUsed });
  });
});

describe("elastic", () => {
  const random = randomOf("elastic");
  const field = (grid: number) => ({
    grid,
    dx: Float64Array.from({ length: grid * grid }, () => random() - 0.5),
    dy: Float64Array.from({ length: grid * grid }, () => random() - 0.5),
  });
  const size = { height: 6, width: 10 };

  test("a constant field shifts: half a pixel for sigma 1 / width", () => {
    const constant = { grid: 4, dx: new Float64Array(16).fill(0.5), dy: new Float64Array(16) };
    const points = gridPoints(size);
    elasticMap(constant, 1 / 10, size)(points);
    [...points.x].forEach((x, i) => expect(x).toBeCloseTo((i % 10) + 0.5, 12));
    [...points.y].forEach((y, i) => expect(y).toBeCloseTo(Math.floor(i / 10), 12));
  });

  test("passes through the grid's own values where pixels are cells", () => {
    const values = field(4);
    const points = gridPoints({ height: 4, width: 4 });
    elasticMap(values, 1, { height: 4, width: 4 })(points);
    [...points.x].forEach((x, i) => expect(x).toBeCloseTo((i % 4) + 4 * values.dx[i]!, 12));
    [...points.y].forEach((y, i) => expect(y).toBeCloseTo((i >> 2) + 4 * values.dy[i]!, 12));
  });

  test("halfway between two cells is cubic: (-3 19 19 -3) / 32 for a = -0.75", () => {
    const bump = {
      grid: 4,
      dx: Float64Array.of(0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0),
      dy: new Float64Array(16),
    };
    const points = { x: Float64Array.of(3.5), y: Float64Array.of(3.5), grid: undefined };
    // In 8 pixels of 4 cells, 3.5 is halfway between cells 1 and 2.
    elasticMap(bump, 1 / 8, { height: 8, width: 8 })(points);
    expect(points.x[0]).toBeCloseTo(3.5 + 19 / 32, 12);
  });

  test.each([1, 2, 4, 7])("pixel centres and free points agree, grid %i", (grid) => {
    const map = elasticMap(field(grid), 0.1, size);
    const onGrid = gridPoints(size);
    const free = { ...gridPoints(size), grid: undefined };
    map(onGrid);
    map(free);
    free.x.forEach((x, i) => expect(onGrid.x[i]).toBeCloseTo(x, 12));
    free.y.forEach((y, i) => expect(onGrid.y[i]).toBeCloseTo(y, 12));
  });

  test("far outside the image the field is that of the nearest edge", () => {
    const values = field(4);
    const points = {
      x: Float64Array.of(-50, -500),
      y: Float64Array.of(-50, -500),
      grid: undefined,
    };
    elasticMap(values, 1, { height: 4, width: 4 })(points);
    expect(points.x[0]! + 50).toBeCloseTo(4 * values.dx[0]!, 12);
    expect(points.x[1]! + 500).toBeCloseTo(4 * values.dx[0]!, 12);
  });
});

describe("composition", () => {
  test("by whole pixels equals one transform after the other", () => {
    const shift = affineMap({ ...identity, shiftX: 1 }, three);
    const flip = flipMap(three);
    const half: Image = { ...three, data: Float32Array.from(moved(three, shift).flat()) };
    expect(moved(three, composed([shift, flip]))).toEqual(moved(half, flip));
    expect(moved(three, composed([shift, flip]))).toEqual([
      [2, 1, 0],
      [5, 4, 0],
      [8, 7, 0],
    ]);
    expect(moved(three, composed([flip, shift]))).toEqual([
      [0, 3, 2],
      [0, 6, 5],
      [0, 9, 8],
    ]);
  });

  test("of two affine transforms is the affine transform of their product", () => {
    const size = { height: 9, width: 7 };
    const once = gridPoints(size);
    const twice = gridPoints(size);
    affineMap({ ...identity, angle: 0.7, scale: 6 }, size)(once);
    composed([
      affineMap({ ...identity, angle: 0.3, scale: 2 }, size),
      affineMap({ ...identity, angle: 0.4, scale: 3 }, size),
    ])(twice);
    once.x.forEach((x, i) => expect(twice.x[i]).toBeCloseTo(x, 10));
    once.y.forEach((y, i) => expect(twice.y[i]).toBeCloseTo(y, 10));
  });
});
