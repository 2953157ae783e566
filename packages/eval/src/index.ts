/** @packageDocumentation
 *  Evaluation of frozen features: embed a dataset, then measure a linear probe or nearest neighbours. */
export { embed, type EmbedOptions, type Embeddings } from "./embed.js";
export { knnProbe, type KnnProbeOptions, type KnnProbeResult } from "./knn-probe.js";
export type { LabelledFeatures, ProbeData } from "./labelled-features.js";
export { linearProbe, type LinearProbeOptions, type LinearProbeResult } from "./linear-probe.js";
export { pca2d, type Pca2d } from "./pca2d.js";
