/** To be imported before anything of tfjs, once in a process: tfjs's cpu backend, and whatever else makes float32 arrays,
 *  then computes in float64. Central differences are exact to ten digits there, so that a wrong gradient cannot hide behind
 *  rounding. */
import { types } from "node:util";

globalThis.Float32Array = Float64Array as unknown as Float32ArrayConstructor;
// tfjs asks Node whether an array is one of those that it knows.
types.isFloat32Array = types.isFloat64Array as unknown as typeof types.isFloat32Array;
