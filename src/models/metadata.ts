/**
 * Preprocessing written into the model file itself, so that a network whose preprocessing was chosen or probed is fed the
 * same way when its exported file is opened again.
 */
import type { Model } from '../onnx';
import type { Preprocess } from './types';

/** Key in the ONNX file's metadata_props; the value is JSON. */
const KEY = 'bonsai.preprocess';

const isTriple = (value: unknown): value is readonly [number, number, number] =>
  Array.isArray(value) && value.length === 3 && value.every((v) => typeof v === 'number' && Number.isFinite(v));

/** The model with its preprocessing in the metadata. Size, layout and element type follow from the graph and are left out. */
export function withPreprocess(model: Model, { channels, resize, pad, mean, std }: Preprocess): Model {
  return { ...model, metadata: { ...model.metadata, [KEY]: JSON.stringify({ channels, resize, pad, mean, std }) } };
}

/** Whether the file says how it wants to be fed: nothing to guess or to probe then. */
export function hasOwnPreprocess(model: Model): boolean {
  return model.metadata[KEY] !== undefined;
}

/** `assumed` with what the file says about itself; unreadable or impossible values are ignored. */
export function ownPreprocess(model: Model, assumed: Preprocess): Preprocess {
  let own: Record<string, unknown>;
  try {
    own = JSON.parse(model.metadata[KEY] ?? '{}') as Record<string, unknown>;
  } catch {
    return assumed;
  }
  if (typeof own !== 'object' || own === null) return assumed;
  const { channels, resize, pad, mean, std } = own;
  return {
    ...assumed,
    channels: assumed.channels !== 'gray' && (channels === 'rgb' || channels === 'bgr') ? channels : assumed.channels,
    resize: resize === 'letterbox-corner' || resize === 'letterbox-center' || resize === 'stretch' ? resize : assumed.resize,
    pad: typeof pad === 'number' && pad >= 0 && pad <= 255 ? pad : assumed.pad,
    mean: isTriple(mean) ? mean : assumed.mean,
    std: isTriple(std) && std.every((v) => v > 0) ? std : assumed.std,
  };
}
