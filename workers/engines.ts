import { defaultPreprocess, inputDims, preprocess } from '../src/models';
import { describeError, type RgbImage } from '../src/numerics';
import { serializeModel } from '../src/onnx';
import { type Engine, parityCheck, type Tensors } from '../src/runtime';
import { chooseEngines, type Engines } from '../src/runtime/web';
import type { ModelArtifact } from '../src/steps';
import type { EngineChoice, EngineReport } from './wire';

const opened = new Map<EngineChoice, Promise<Engines>>();

/** One pair of engines a worker and choice: loading the runtime is the slow part. */
export function enginesFor(choice: EngineChoice): Promise<Engines> {
  let engines = opened.get(choice);
  if (!engines) {
    engines = chooseEngines(choice);
    engines.catch(() => opened.delete(choice));
    opened.set(choice, engines);
  }
  return engines;
}

export interface Admitted {
  readonly engine: Engine;
  /** null where there is none, or where it computes this network differently. */
  readonly gpu: Engine | null;
  readonly notes: readonly string[];
  readonly parity: number | null;
}

/** The input tensor for an image; null for a network that takes none. */
function probeFeed({ model, spec }: ModelArtifact, image: RgbImage): Tensors | null {
  const p = spec?.preprocess ?? defaultPreprocess(model);
  const input = spec?.input ?? model.graph.inputs[0]?.name;
  if (!p || !input) return null;
  const { input: data } = preprocess(image, p);
  return { [input]: { dtype: p.dtype, dims: inputDims(p), data } };
}

/** Lets the GPU compute this network only if it gives WASM's numbers on one image; a GPU that fails is noted. */
export async function admit({ engine, gpu, notes }: Engines, artifact: ModelArtifact, image: RgbImage): Promise<Admitted> {
  if (!gpu) return { engine, gpu, notes, parity: null };
  try {
    const feed = probeFeed(artifact, image);
    if (!feed) return { engine, gpu: null, notes, parity: null };
    const { admitted, maxRel } = await parityCheck(serializeModel(artifact.model), [feed], engine, gpu);
    if (admitted) return { engine, gpu, notes, parity: maxRel };
    const percent = (maxRel * 100).toPrecision(2);
    return {
      engine,
      gpu: null,
      notes: [...notes, `WebGPU differs from WASM by ${percent} % on this network: WASM is used.`],
      parity: maxRel,
    };
  } catch (error) {
    return { engine, gpu: null, notes: [...notes, `WebGPU failed on this network (${describeError(error)}): WASM is used.`], parity: null };
  }
}

export function reportOf({ engine, gpu, notes }: Admitted): EngineReport {
  const used = gpu ?? engine;
  return { backend: used.backend, threads: used.threads, notes, version: used.version };
}
