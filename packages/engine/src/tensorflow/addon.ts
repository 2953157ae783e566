/** The part of tfjs-node's native addon that runs graphs: a thin layer over TensorFlow's C API. */

/** A tensor in TensorFlow's memory, as the addon describes it. */
export interface TensorHandle {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

export interface TensorFlowAddon {
  /** Lends an array to TensorFlow, which reads it in place until the tensor and everything made of its memory is gone. */
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  /** A copy of a tensor's elements. */
  tensorDataSync(id: number): Float32Array | Int32Array;
  /** Loads the graph of a SavedModel into a session of its own. */
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  /** Runs the session, names separated by commas. */
  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): TensorHandle[];
  /** Whether it would compute on a GPU. */
  isUsingGpuDevice(): boolean;
  readonly TF_Version: string;
}
