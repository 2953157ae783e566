import { projector, type Encoder } from "@lejepa/encoders";
import type { BatchShare } from "@lejepa/ops";
import { checkConfig, integralOf, trainViews, type TrainConfig } from "./config.js";
import { checkEncoder } from "./encoder-argument.js";
import { lejepaStep, type LejepaStep } from "./lejepa-step.js";

/** The training step that a config describes, for the encoder that it names; with a share that of one of several
 *  processes.
 *  @throws LejepaError "invalid-config"; "invalid-option" for what is no encoder; "bad-share" */
export function stepOf(config: TrainConfig, encoder: Encoder, share?: BatchShare): LejepaStep {
  checkConfig(config, "stepOf, config");
  checkEncoder(encoder, "stepOf: encoder");
  const { lambda, combine, sigreg, target, globalViews, weightDecay, slices } = config;
  return lejepaStep({
    encoder,
    projector: projector({ inputDim: encoder.dim, ...config.projector }),
    batch: {
      images: config.batchSize,
      groups: trainViews(config).map(({ count, size }) => ({ views: count, size })),
    },
    share,
    slices,
    loss: { lambda, combine, sigreg, target, globalViews, ...integralOf(config) },
    optimizer: { weightDecay },
  });
}
