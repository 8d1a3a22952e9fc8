import type { ImageSet } from '../../data';
import { applyPreset, describePreprocess, hasOwnPreprocess, inputDims, PRESETS, probePreprocess } from '../../models';
import { type RgbImage, StudioError } from '../../numerics';
import { serializeModel } from '../../onnx';
import type { ModelArtifact, StepContext } from '../types';

/** Images that the probe looks at. */
const PROBE_IMAGES = 4;

export interface PreprocessChoice {
  /** "BGR, 0–255, letterbox, image top-left". */
  readonly name: string;
  /** The probe proposed it in place of the family's assumption. */
  readonly proposed: boolean;
  /** One sentence for the user, or null. */
  readonly note: string | null;
}

/** The first few images that can be decoded, spread over the set. */
async function fewImages(images: ImageSet): Promise<RgbImage[]> {
  const wanted = Math.min(PROBE_IMAGES, images.entries.length);
  const found: RgbImage[] = [];
  for (let i = 0; i < wanted; i++) {
    try {
      found.push(await images.load(Math.floor((i * images.entries.length) / wanted)));
    } catch (error) {
      if (!(error instanceof StudioError) || error.code !== 'bad-data') throw error;
    }
  }
  return found;
}

/**
 * Settles how images become the network's input, before anything is calibrated. 'auto' takes what the file says of
 * itself, else the family's convention, unless a probe on a few images finds that another preset works and it doesn't.
 * @param wanted 'auto' or a preset's id
 * @throws StudioError 'bad-option' for an unknown preset
 */
export async function choosePreprocess(
  artifact: ModelArtifact,
  images: ImageSet,
  wanted: string,
  ctx: Pick<StepContext, 'engine' | 'cancel'>,
): Promise<{ artifact: ModelArtifact; choice: PreprocessChoice }> {
  const { spec } = artifact;
  if (!spec) return { artifact, choice: { name: 'default', proposed: false, note: null } };
  if (wanted !== 'auto') {
    const preset = PRESETS.find(({ id }) => id === wanted);
    if (!preset)
      throw new StudioError(
        'bad-option',
        `There is no preprocessing "${wanted}".`,
        `Use auto or one of: ${PRESETS.map(({ id }) => id).join(', ')}.`,
      );
    const chosen = { ...spec, preprocess: applyPreset(spec.preprocess, preset) };
    return { artifact: { ...artifact, spec: chosen }, choice: { name: preset.label, proposed: false, note: null } };
  }
  const session = await ctx.engine.create(serializeModel(artifact.model));
  try {
    const few = await fewImages(images);
    const result = await probePreprocess(
      (data, p) => {
        ctx.cancel.throwIfAborted();
        return session.run({ [spec.input]: { dtype: p.dtype, dims: inputDims(p), data } }) as ReturnType<
          Parameters<typeof probePreprocess>[0]
        >;
      },
      spec,
      few,
    );
    const best = hasOwnPreprocess(artifact.model) ? null : result.best;
    const chosen = best ? { ...result.spec, preprocess: best } : result.spec;
    return {
      artifact: { ...artifact, spec: chosen },
      choice: { name: describePreprocess(chosen.preprocess), proposed: best !== null, note: result.note },
    };
  } finally {
    await session.release();
  }
}
