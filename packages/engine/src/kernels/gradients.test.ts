import "../../test/float64-tfjs.js";
import "@lejepa/ops";
import { holdGradients, holdSubgradients } from "../../test/central-differences.js";

// The rules of @lejepa/ops; those of tfjs are held in tfjs-gradients.test.ts.
holdGradients("@lejepa/ops");
holdSubgradients();
