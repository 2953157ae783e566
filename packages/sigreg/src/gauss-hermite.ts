/** The Gauss-Hermite rule for the weight exp(-t²/2) on the whole line:
 *    integral f(t) exp(-t²/2) dt = sum_j w_j f(t_j)   for polynomials f of degree below 2n
 *  Knots are the eigenvalues of the symmetric tridiagonal matrix of the recurrence of Hermite's orthonormal polynomials
 *  (0 on the diagonal, sqrt(1), sqrt(2), ... beside it), found by bisection, which no starting point can mislead.
 *  Source: Golub and Welsch, Math. Comp. 23 (1969); Sturm counts as in Barth, Martin and Wilkinson, Numer. Math. 9 (1967). */

/** The knots above 0 in ascending order and their weights. For an odd number of points the knot 0 is left out.
 *  @param points n, from 2 to 256. */
export function gaussHermite(points: number): { knots: number[]; weights: number[] } {
  const knots = Array.from({ length: Math.floor(points / 2) }, (_, j) =>
    eigenvalue(points, Math.ceil(points / 2) + j),
  );
  return { knots, weights: knots.map((t) => weightAt(points, t)) };
}

/** The eigenvalue with `rank` others below it. */
function eigenvalue(points: number, rank: number): number {
  let low = 0;
  let high = 2 * Math.sqrt(points); // bounds all of them
  for (;;) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) return middle;
    if (countBelow(points, middle) > rank) high = middle;
    else low = middle;
  }
}

/** How many eigenvalues lie below t: the negative pivots of the matrix minus t. */
function countBelow(points: number, t: number): number {
  let count = 0;
  let pivot = 1;
  for (let k = 0; k < points; k++) {
    pivot = -t - (k === 0 ? 0 : k / (pivot === 0 ? Number.EPSILON : pivot));
    if (pivot < 0) count++;
  }
  return count;
}

/** sqrt(2 pi) over the sum of squares of the first n orthonormal polynomials at the knot. */
function weightAt(points: number, t: number): number {
  let [before, current] = [0, 1];
  let squares = 0;
  for (let k = 0; k < points; k++) {
    squares += current * current;
    [before, current] = [current, (t * current - Math.sqrt(k) * before) / Math.sqrt(k + 1)];
  }
  return Math.sqrt(2 * Math.PI) / squares;
}
