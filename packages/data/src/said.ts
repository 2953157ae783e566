/** How a value reads in a message; never throws, whatever the value is. */
export function said(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "nothing";
    case "string":
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
    case "function":
      return "a function";
    case "bigint":
      return `the bigint ${value}`;
    case "object":
      return saidObject(value);
    default:
      return String(value);
  }
}

function saidObject(value: object | null): string {
  if (value === null) return "null";
  if (Array.isArray(value)) {
    const isShort = value.length <= 4 && value.every((each) => typeof each === "number");
    return isShort ? `[${value.join(", ")}]` : `an array of length ${value.length}`;
  }
  if (!ArrayBuffer.isView(value) || value instanceof DataView) return "an object";
  const { name } = value.constructor;
  return `${/^(I|A|E|O)/.test(name) ? "an" : "a"} ${name} of length ${(value as Uint8Array).length}`;
}
