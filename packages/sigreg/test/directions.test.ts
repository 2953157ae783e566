import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { directions } from "@lejepa/sigreg";

const digest = (data: Float32Array) => createHash("sha256").update(data).digest("hex");

test("columns have length 1", () => {
  const [dim, slices] = [7, 50];
  const a = directions(dim, slices, 3, 12);
  expect(a).toHaveLength(dim * slices);
  for (let m = 0; m < slices; m++) {
    let squares = 0;
    for (let d = 0; d < dim; d++) squares += a[d * slices + m]! ** 2;
    expect(squares).toBeCloseTo(1, 6);
  }
});

test("in one dimension there are two directions", () => {
  expect(new Set(directions(1, 40, 0))).toEqual(new Set([1, -1]));
});

test("they point everywhere: mean 0 and covariance 1/D", () => {
  const [dim, slices] = [3, 20_000];
  const a = directions(dim, slices, 1);
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

test("the first ones stay when more are asked for", () => {
  const [few, many] = [directions(3, 2, 5), directions(3, 9, 5)];
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
