import { float64Adapter } from "@lejepa/tensor/float64";

/** Adds where it should subtract. */
export function brokenAdapter() {
  const k = float64Adapter();
  return Promise.resolve({ ...k, sub: k.add.bind(k) });
}
