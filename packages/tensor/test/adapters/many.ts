import { float64Adapter } from "@lejepa/tensor/float64";

export const first = float64Adapter();
export const notOne = { name: "nothing" };
export const failing = () => {
  throw new Error("no device today");
};
