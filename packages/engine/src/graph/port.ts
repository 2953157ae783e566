/** Names of the ports of a captured step. */
export const port = {
  state: (name: string) => `state/${name}`,
  isState: (portName: string) => portName.startsWith("state/"),
  /** The name that `state` made a port of. */
  stateName: (portName: string) => portName.slice("state/".length),
  input: (name: string) => `input/${name}`,
  isInput: (portName: string) => portName.startsWith("input/"),
  /** The name that `input` made a port of. */
  inputName: (portName: string) => portName.slice("input/".length),
  nextState: (name: string) => `next/${name}`,
  output: (name: string) => `output/${name}`,
  /** A value that one segment of a step makes and later ones take. */
  carried: (index: number) => `carried/${index}`,
  isCarried: (portName: string) => portName.startsWith("carried/"),
  /** A value that an update behind the run needs. */
  updated: (index: number) => `update/${index}`,
  isOutput: (portName: string) => portName.startsWith("output/"),
  /** The name that `output` made a port of. */
  outputName: (portName: string) => portName.slice("output/".length),
};
