import { createHash } from "node:crypto";
import { createEncoder, type Encoder } from "@lejepa/encoders";
import { LejepaError } from "@lejepa/ops";
import { shown, type TrainConfig, type TrainConfigInput } from "./config.js";
import { checkRunEncoder } from "./encoder-argument.js";
import type { RunRecord } from "./run-record.js";

/** The encoder that a config names. */
export function namedEncoder({ encoder, imageSize, channels }: TrainConfig): Encoder {
  return createEncoder(encoder, { imageSize, channels });
}

/** A config whose encoder is the one passed in code, which has a name and a size of images of its own.
 *  Throws LejepaError "invalid-config" for a config that contradicts it. */
export function configWith(encoder: Encoder, config: TrainConfigInput): TrainConfigInput {
  const { imageSize, channels } = encoder;
  const its = { encoder: encoder.name, imageSize, channels: channels as 1 | 3 };
  for (const [key, value] of Object.entries(its)) {
    const given = config[key as keyof typeof its];
    if (given === undefined || given === value) continue;
    throw new LejepaError(
      "invalid-config",
      `config: ${key} should be ${JSON.stringify(value)}, as the encoder passed in code has it, got ${shown(given)}; leave it out.`,
    );
  }
  // What is no number is refused with the rest of the config.
  if (typeof config.processes === "number" && config.processes > 1) {
    throw new LejepaError(
      "invalid-config",
      `config: processes should be 1 with an encoder passed in code, as functions do not travel to other threads, got ${config.processes}.`,
    );
  }
  return { ...config, ...its };
}

/** The encoder of a run: the one passed in code, where it was trained with one, else the one that its config names.
 *  Throws LejepaError "passed-in-code" when it lacks, "encoder-differs" when the one passed is another one. */
export function encoderOf(
  folder: string,
  { config, record }: { readonly config: TrainConfig; readonly record: RunRecord },
  passed: Encoder | undefined,
): Encoder {
  if (passed !== undefined) checkRunEncoder(passed);
  if (!record.inCode.includes("encoder")) {
    if (passed === undefined) return namedEncoder(config);
    throw new LejepaError(
      "encoder-differs",
      `${folder} was trained with the encoder "${config.encoder}" by its name, not with "${passed.name}" passed in code; leave the encoder out.`,
    );
  }
  if (passed === undefined) throw passedInCode(folder, [encoderPart(config)]);
  const was = { name: config.encoder, imageSize: config.imageSize, channels: config.channels };
  for (const [key, value] of Object.entries(was)) {
    const is = passed[key as keyof typeof was];
    if (is === value) continue;
    const [shown, expected] = [is, value].map((each) => JSON.stringify(each));
    throw new LejepaError(
      "encoder-differs",
      `${folder} was trained with an encoder of ${key} ${expected}, and the one passed has ${shown}; pass the encoder that it was trained with.`,
    );
  }
  const { encoderParameters } = record;
  if (encoderParameters !== undefined && encoderParameters !== digestOfParameters(passed)) {
    throw new LejepaError(
      "encoder-differs",
      `${folder} was trained with an encoder "${passed.name}" whose parameters have other names, shapes, layouts or decay than those of the one passed; pass the encoder that it was trained with.`,
    );
  }
  return passed;
}

/** The encoder of a run, as a part that has to be passed in code. */
export const encoderPart = ({ encoder }: TrainConfig): string => `the encoder "${encoder}"`;

/** What to throw when parts of a run that no name finds again were not passed. */
export function passedInCode(folder: string, parts: readonly string[]): LejepaError {
  return new LejepaError(
    "passed-in-code",
    `${folder} was trained with ${parts.join(" and ")} passed in code, which ${parts.length > 1 ? "have" : "has"} to be passed again: openRun(run, { encoder }), train(config, { run, resume: true, encoder, datasets }); the command line alone cannot.`,
  );
}

/** What tells the parameters of an encoder from those of another one: all that is said of them, and the embedding's
 *  width. */
export function digestOfParameters({ dim, parameters }: Encoder): string {
  const rows = parameters.map(({ name, shape, layout, decay, buffer }) => [
    name,
    shape,
    layout,
    decay,
    buffer,
  ]);
  return createHash("sha256")
    .update(JSON.stringify([dim, rows]))
    .digest("hex")
    .slice(0, 16);
}
