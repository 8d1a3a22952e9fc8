/** The frozen part of a network, run once an image: what it answers is kept as long as there is room. */
import { type Model, serializeModel } from '../onnx';
import type { Engine, Tensors } from '../runtime';

export interface PrefixOptions {
  /** Answers are kept up to so many bytes in all. Images come round in every epoch, so the first ones stay. Default 512 MiB. */
  readonly maxBytes?: number;
}

export interface Prefix {
  /**
   * What the prefix answers to an image.
   * @param key names the image; an image that is changed before each step (augmented) has none: null
   * @param feeds is asked only where the answer isn't known
   */
  answer(key: string | number | null, feeds: () => Promise<Tensors> | Tensors): Promise<Tensors>;
  /** Kept so far. */
  readonly bytes: number;
  readonly images: number;
  release(): Promise<void>;
}

const DEFAULT_BYTES = 512 * 2 ** 20;

/**
 * @param model of splitFrozen (autodiff)
 * @throws StudioError 'runtime' when the engine can't load it
 */
export async function openPrefix(engine: Engine, model: Model, { maxBytes = DEFAULT_BYTES }: PrefixOptions = {}): Promise<Prefix> {
  const session = await engine.create(serializeModel(model));
  const kept = new Map<string | number, Tensors>();
  let bytes = 0;
  return {
    async answer(key, feeds) {
      const known = key === null ? undefined : kept.get(key);
      if (known) return known;
      const made = await session.run(await feeds());
      const size = Object.values(made).reduce((sum, { data }) => sum + data.byteLength, 0);
      if (key !== null && !kept.has(key) && bytes + size <= maxBytes) {
        kept.set(key, made);
        bytes += size;
      }
      return made;
    },
    get bytes() {
      return bytes;
    },
    get images() {
      return kept.size;
    },
    async release() {
      kept.clear();
      bytes = 0;
      await session.release();
    },
  };
}
