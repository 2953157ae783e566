import { closest, distance } from "fastest-levenshtein";

/** "Did you mean ...?" when one of the names is at most half wrong, then all names: the end of an
 *  error message about a name that is not known. */
export function suggestName(wrong: string, names: readonly string[]): string {
  const nearest = closest(wrong.toLowerCase(), names);
  const isNear = distance(wrong.toLowerCase(), nearest) <= Math.max(2, nearest.length / 2);
  return `${isNear ? `Did you mean "${nearest}"? ` : ""}Known: ${names.join(", ")}.`;
}
