/** Names of the ports of a captured step. */
export const port = {
  state: (name: string) => `state/${name}`,
  input: (name: string) => `input/${name}`,
  nextState: (name: string) => `next/${name}`,
  output: (name: string) => `output/${name}`,
  isOutput: (portName: string) => portName.startsWith("output/"),
  /** The name that `output` made a port of. */
  outputName: (portName: string) => portName.slice("output/".length),
};
