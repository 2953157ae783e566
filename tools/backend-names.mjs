/** Everything that tests may be run on, and what it needs beyond `npm ci`. */
export const backendNeeds = {
  eager: "nothing",
  onnx: "nothing",
  tensorflow: "`npm run setup:tensorflow`",
  python: "`pip install torch==2.13.0 numpy safetensors`",
  browser: "the program `chromium`",
};

/** What is run where LEJEPA_BACKENDS does not say: what `npm ci` alone brings. */
const whenUnsaid = "eager,onnx";

/** The names that LEJEPA_BACKENDS gives, or would by default. */
export const namedBackends = (process.env.LEJEPA_BACKENDS ?? whenUnsaid)
  .split(",")
  .map((name) => name.trim());

/** What is not run, and how to have it, in one line; empty when everything is. */
export function leftOut() {
  const missing = Object.entries(backendNeeds).filter(([name]) => !namedBackends.includes(name));
  if (missing.length === 0) return "";
  const how = missing.map(([name, needs]) => `${name} (needs ${needs})`).join(", ");
  return `Left out: ${how}; name what is to run, as LEJEPA_BACKENDS=${Object.keys(backendNeeds).join(",")}.`;
}
