/** How far something has come. */
export interface Progress {
  readonly value: number;
  readonly total: number;
  /** What is counted, such as "images embedded"; nothing for steps. */
  readonly unit: string;
  /** Time left by the rate until now; undefined while there is none. */
  readonly secondsLeft: number | undefined;
  /** What else to tell, the least dispensable first. */
  readonly facts: readonly string[];
}

const [widest, narrowest] = [24, 6];

/** One line that fits into so many columns: without the last facts, with a shorter bar, and at last without one.
 *    ━━━━━━────────────────── 12/48 | prediction 0.1234 | sigreg 5.678 | 910 images/s | 1m 05s left */
export function progressLine(
  { value, total, unit, secondsLeft, facts }: Progress,
  columns = Infinity,
): string {
  const count = `${value}/${total}${unit === "" ? "" : ` ${unit}`}`;
  const left = secondsLeft === undefined ? [] : [`${duration(secondsLeft)} left`];
  for (let shown = facts.length; shown >= 0; shown--) {
    const text = [count, ...facts.slice(0, shown), ...left].join(" | ");
    const room = columns - text.length - 1;
    if (room >= narrowest) return `${bar(value, total, Math.min(widest, room))} ${text}`;
  }
  const text = [count, ...left].join(" | ");
  return text.length <= columns ? text : `${value}/${total}`.slice(0, columns);
}

function bar(value: number, total: number, width: number): string {
  const done = total > 0 ? Math.floor(width * Math.min(1, value / total)) : width;
  return "━".repeat(done) + "─".repeat(width - done);
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (part: number): string => String(part).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}
