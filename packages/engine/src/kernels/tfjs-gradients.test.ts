import "../../test/float64-tfjs.js";
// First: its rules stay, but for those that @lejepa/ops replaces.
import "@tensorflow/tfjs-layers";
import "@lejepa/ops";
import { holdGradients } from "../../test/central-differences.js";

holdGradients("tfjs", {
  "FusedBatchNorm: with neither": "tfjs's rule reads the scale that is missing, and throws",
  Prod: "tfjs's rule throws, but for an axis in the middle",
});
