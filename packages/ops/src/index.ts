export { LejepaError } from "./lejepa-error.js";
export type { HostTensor, HostTensors, Tensors } from "./host-tensor.js";
