import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { directions, type DirectionsOptions } from "@lejepa/sigreg";

const digest = (data: Float32Array) => createHash("sha256").update(data).digest("hex");

const samplers = ["gaussian", "orthogonal", "sobol"] as const;

test.each(samplers)("columns have length 1: %s", (sampler) => {
  const [dim, slices] = [7, 50];
  const a = directions(dim, slices, 3, 12, { sampler });
  expect(a).toHaveLength(dim * slices);
  for (let m = 0; m < slices; m++) {
    let squares = 0;
    for (let d = 0; d < dim; d++) squares += a[d * slices + m]! ** 2;
    expect(squares).toBeCloseTo(1, 6);
  }
});

test.each(samplers)("in one dimension there are two directions: %s", (sampler) => {
  expect(new Set(directions(1, 40, 0, 0, { sampler }))).toEqual(new Set([1, -1]));
});

test.each(samplers)("they point everywhere, mean 0 and covariance 1/D: %s", (sampler) => {
  const [dim, slices] = [3, 20_000];
  const a = directions(dim, slices, 1, 0, { sampler });
  for (let i = 0; i < dim; i++)
    for (let j = 0; j <= i; j++) {
      let [mean, product] = [0, 0];
      for (let m = 0; m < slices; m++) {
        mean += a[i * slices + m]! / slices;
        product += (a[i * slices + m]! * a[j * slices + m]!) / slices;
      }
      expect(Math.abs(mean)).toBeLessThan(0.02);
      expect(Math.abs(product - (i === j ? 1 / dim : 0))).toBeLessThan(0.02);
    }
});

test.each(samplers)("the first of many draws points everywhere, too: %s", (sampler) => {
  // Each direction is uniform on its own: here the second of four, over seeds.
  const seeds = 2000;
  let [mean, square] = [0, 0];
  for (let seed = 0; seed < seeds; seed++) {
    const x = directions(3, 4, seed, 0, { sampler })[2 * 4 + 1]!;
    mean += x / seeds;
    square += (x * x) / seeds;
  }
  expect(Math.abs(mean)).toBeLessThan(0.05);
  expect(Math.abs(square - 1 / 3)).toBeLessThan(0.03);
});

test.each(samplers)("the first ones stay when more are asked for: %s", (sampler) => {
  const [few, many] = [2, 9].map((slices) => directions(3, slices, 5, 0, { sampler })) as [
    Float32Array,
    Float32Array,
  ];
  for (let d = 0; d < 3; d++)
    expect(few.slice(d * 2, d * 2 + 2)).toEqual(many.slice(d * 9, d * 9 + 2));
});

test("seed and step change them, and step 0 is the default", () => {
  const all = [
    directions(4, 8, 0),
    directions(4, 8, 1),
    directions(4, 8, 0, 1),
    directions(4, 8, 10),
    directions(4, 8, 1, 0),
  ];
  expect(new Set(all.map(digest)).size).toBe(4);
  expect(directions(4, 8, 1, 0)).toEqual(all[1]);
});

test("orthogonal ones are orthonormal in blocks of D, the last block too", () => {
  const [dim, slices] = [8, 20];
  const a = directions(dim, slices, 2, 5, { sampler: "orthogonal" });
  const cosine = (m: number, n: number) => {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += a[d * slices + m]! * a[d * slices + n]!;
    return sum;
  };
  for (let m = 0; m < slices; m++)
    for (let n = 0; n < m; n++)
      if (Math.floor(m / dim) === Math.floor(n / dim))
        expect(Math.abs(cosine(m, n))).toBeLessThan(1e-6);
  expect(Math.abs(cosine(0, dim))).toBeGreaterThan(1e-3);
  // Gram and Schmidt leave the first of a block as it is.
  const gaussian = directions(dim, slices, 2, 5);
  for (let d = 0; d < dim; d++) expect(a[d * slices + dim]).toBe(gaussian[d * slices + dim]);
});

test("Sobol and orthogonal ones take averages over the sphere better than independent ones", () => {
  // Root mean square error over 40 seeds, of functions whose average is 0.
  const [dim, slices] = [4, 256];
  const error = (sampler: DirectionsOptions["sampler"], f: (...a: number[]) => number) => {
    let squares = 0;
    for (let seed = 0; seed < 40; seed++) {
      const a = directions(dim, slices, seed, 0, { sampler });
      let mean = 0;
      for (let m = 0; m < slices; m++)
        mean += f(...[0, 1, 2, 3].map((d) => a[d * slices + m]!)) / slices;
      squares += mean ** 2 / 40;
    }
    return Math.sqrt(squares);
  };
  const even = (x: number, y: number) => x * x - y * y;
  expect(error("sobol", even) * 4).toBeLessThan(error("gaussian", even));
  // Over a block of D orthonormal directions the mean of x² is 1/D exactly.
  expect(error("orthogonal", even)).toBeLessThan(1e-6);
});

test.each<[DirectionsOptions["resample"], number[]]>([
  ["every-step", [0, 1, 2, 3, 4, 5, 6]],
  [1, [0, 1, 2, 3, 4, 5, 6]],
  [3, [0, 0, 0, 1, 1, 1, 2]],
  ["fixed", [0, 0, 0, 0, 0, 0, 0]],
])("resample %s draws anew when it says", (resample, draws) => {
  for (const sampler of samplers)
    draws.forEach((draw, step) =>
      expect(directions(4, 8, 1, step, { sampler, resample })).toEqual(
        directions(4, 8, 1, draw, { sampler }),
      ),
    );
});

test("another process draws the same bits", () => {
  const code = `
    import { createHash } from "node:crypto";
    import { directions } from "@lejepa/sigreg";
    console.log(createHash("sha256").update(directions(16, 256, 42, 1000)).digest("hex"));`;
  const output = execFileSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", code],
    {
      cwd: `${import.meta.dirname}/../../..`,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: "" },
    },
  );
  expect(output.trim()).toBe(digest(directions(16, 256, 42, 1000)));
  // The bits themselves, so that a change of generator does not go unseen: it would change every training run.
  expect(output.trim()).toMatchInlineSnapshot(
    `"8cee4d5cbf6fe2918ffa1664c085c80e09344cd7f3f90225bdaf6df804017eb1"`,
  );
});
