import type { ImageSet } from '../src/data';
import {
  applyPreset,
  defaultPreprocess,
  describePreprocess,
  detect,
  inputDims,
  PRESETS,
  PREVIEW_OPTIONS,
  type Preprocessed,
  preprocess,
  probePreprocess,
  refineSpec,
} from '../src/models';
import type { RgbImage } from '../src/numerics';
import { serializeModel } from '../src/onnx';
import type { Session } from '../src/runtime';
import type { DetectorSpec, ModelArtifact } from '../src/steps';
import { openModel } from '../src/steps/open';
import { admit, enginesFor, reportOf } from './engines';
import { probeImage } from './images';
import type { EngineChoice, PreviewInfo, PreviewModel, PreviewSide, ProbeAdvice } from './wire';

/** One network that is looked at: a session, and how to feed and read it. */
export interface Watched {
  readonly session: Session;
  readonly spec: DetectorSpec | null;
  readonly info: PreviewInfo;
}

const isQuantized = ({ model }: ModelArtifact) =>
  model.graph.nodes.some((node) => node.op === 'DequantizeLinear' || node.op === 'QLinearConv');

function withPreset(spec: DetectorSpec | null, preset: string | undefined): DetectorSpec | null {
  const chosen = PRESETS.find(({ id, label }) => preset === id || preset === label);
  return spec && chosen ? { ...spec, preprocess: applyPreset(spec.preprocess, chosen) } : spec;
}

function run(session: Session, spec: DetectorSpec, data: Float32Array | Uint8Array) {
  const p = spec.preprocess;
  return session.run({ [spec.input]: { dtype: p.dtype, dims: inputDims(p), data } });
}

/**
 * Opens a network for looking at. Quantized ones run as they are evaluated (WASM, nothing fused); float ones on the GPU
 * where it gives the same numbers.
 * @param like the original's spec: what was measured on float outputs holds for its compressed form
 */
export async function watch(m: PreviewModel, choice: EngineChoice, images: ImageSet, like: DetectorSpec | null): Promise<Watched> {
  const opened = await openModel(m.name, m.bytes, m.external);
  const own = withPreset(opened.spec, m.preprocess);
  const artifact = {
    ...opened,
    spec: own && like && own.family === like.family ? { ...like, levels: own.levels, input: own.input } : (own ?? like),
  };
  const quantized = isQuantized(artifact);
  const image = await probeImage(images);
  const admitted = await admit(await enginesFor(quantized ? 'wasm' : choice), artifact, image);
  const session = await (admitted.gpu ?? admitted.engine).create(
    serializeModel(artifact.model),
    quantized ? { optimization: 'disabled' } : {},
  );
  let spec = artifact.spec;
  try {
    if (spec && !like) spec = refineSpec(spec, await run(session, spec, preprocess(image, spec.preprocess).input));
  } catch (error) {
    await session.release();
    throw error;
  }
  const p = spec?.preprocess ?? defaultPreprocess(artifact.model);
  const { parity } = admitted;
  const info = {
    ...reportOf(admitted),
    classNames: spec?.classNames ?? [],
    preprocess: p ? describePreprocess(p) : '',
    detector: spec !== null,
    parity,
  };
  return { session, spec, info };
}

/** Inputs made of one frame, by how; networks that are fed alike share theirs. */
export type Prepared = Map<string, Preprocessed>;

/** Detections of one image, and what each part of them took. */
export async function look(
  { session, spec }: Watched,
  image: RgbImage,
  scoreThreshold: number,
  shared: Prepared = new Map(),
): Promise<PreviewSide> {
  if (!spec) return { detections: [], ms: { preprocess: 0, inference: 0, decode: 0 } };
  const start = performance.now();
  const key = JSON.stringify(spec.preprocess);
  const ready = shared.get(key) ?? preprocess(image, spec.preprocess);
  shared.set(key, ready);
  const { input, placement } = ready;
  const prepared = performance.now();
  const outputs = await run(session, spec, input);
  const inferred = performance.now();
  const detections = detect(spec, outputs, placement, { ...PREVIEW_OPTIONS, scoreThreshold });
  return { detections, ms: { preprocess: prepared - start, inference: inferred - prepared, decode: performance.now() - inferred } };
}

/** What the images say about the assumed preprocessing; null when it works. */
export async function advise({ session, spec }: Watched, images: ImageSet): Promise<ProbeAdvice | null> {
  if (!spec) return null;
  const some: RgbImage[] = [];
  for (let i = 0; i < images.entries.length && some.length < 4; i++)
    some.push(
      ...(await images.load(i).then(
        (image) => [image],
        () => [],
      )),
    );
  const probe = await probePreprocess((data, p) => session.run({ [spec.input]: { dtype: p.dtype, dims: inputDims(p), data } }), spec, some);
  return probe.note === null ? null : { note: probe.note, preset: probe.best && describePreprocess(probe.best) };
}
