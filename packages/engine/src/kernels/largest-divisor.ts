/** The largest number up to `most` that divides `of`. */
export function largestDivisor(of: number, most: number): number {
  let divisor = Math.min(of, most);
  while (of % divisor !== 0) divisor--;
  return divisor;
}
