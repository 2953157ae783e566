/** The two figures that a noisy machine allows: the least, and the middle one. */
export function timing(milliseconds: readonly number[]): { min_ms: number; median_ms: number } {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min_ms: round(sorted[0]!), median_ms: round(median) };
}

/** Two decimals: what a clock on a shared machine is good for. */
export function round(value: number): number {
  return Math.round(100 * value) / 100;
}
