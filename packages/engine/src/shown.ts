/** Any value in a few words on one line, for an error that says what came instead: never throws. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "nothing";
    case "string":
      return value.length > 40 ? `${JSON.stringify(value.slice(0, 40))}..` : JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
    case "function":
      return `a ${typeof value}`;
    case "object":
      return value === null ? "null" : shownObject(value);
    default:
      return String(value);
  }
}

/** Keys of an object that are named. */
const mostKeys = 5;

function shownObject(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)
    ?.constructor?.name;
  const kind = typeof name === "string" && name !== "" && name !== "Object" ? name : "object";
  if (ArrayBuffer.isView(value))
    return `${kind} of ${(value as Partial<Float32Array>).length ?? value.byteLength}`;
  if (kind !== "object") return `an object of class ${kind}`;
  const keys = Object.keys(value);
  const named = keys.slice(0, mostKeys).join(", ");
  return keys.length > mostKeys ? `{ ${named}, .. }` : keys.length > 0 ? `{ ${named} }` : "{}";
}
