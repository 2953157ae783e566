import { float64Adapter } from "@lejepa/tensor/float64";

export default float64Adapter();
