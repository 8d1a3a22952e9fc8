/** Worker of the preview: a table over two watched networks and a set of images. */
import * as Comlink from 'comlink';
import { type ImageSet, sceneSet } from '../src/data';
import { fromBitmap, openImages, toBitmap } from './images';
import { advise, look, type Prepared, type Watched, watch } from './previewer';
import {
  type EngineChoice,
  type FrameRequest,
  type ImageSource,
  type ImagesInfo,
  keepErrors,
  type PreviewFrame,
  type PreviewModel,
} from './wire';

keepErrors();
let original: Watched | null = null;
let compressed: Watched | null = null;
let images: ImageSet = sceneSet(0, 1);
let busy = false;

async function imageOf(request: FrameRequest) {
  if ('bitmap' in request) return fromBitmap(request.bitmap);
  return 'scene' in request ? sceneSet(request.scene, 1).load(0) : images.load(request.image);
}

const table = {
  async setOriginal(model: PreviewModel | null, choice: EngineChoice) {
    const next = model && (await watch(model, choice, images, null));
    const old = [original, compressed];
    [original, compressed] = [next, null];
    await Promise.all(old.map((watched) => watched?.session.release()));
    return next?.info ?? null;
  },

  async setCompressed(model: PreviewModel | null, choice: EngineChoice) {
    const next = model && (await watch(model, choice, images, original?.spec ?? null));
    const old = compressed;
    compressed = next;
    await old?.session.release();
    return next?.info ?? null;
  },

  async setImages(source: ImageSource): Promise<ImagesInfo> {
    images = await openImages(source);
    return {
      name: images.name,
      fileNames: images.entries.map((e) => e.fileName),
      labelled: images.categories !== null,
      notes: images.notes,
    };
  },

  advise: async () => original && advise(original, images),

  /** Both networks on the same frame; null = skipped, the last one is still being computed. */
  async frame(request: FrameRequest, scoreThreshold: number): Promise<PreviewFrame | null> {
    if (busy) return null;
    busy = true;
    try {
      const image = await imageOf(request);
      const shared: Prepared = new Map();
      const a = original && (await look(original, image, scoreThreshold, shared));
      const b = compressed && (await look(compressed, image, scoreThreshold, shared));
      const bitmap = 'bitmap' in request ? request.bitmap : await toBitmap(image);
      return Comlink.transfer({ bitmap, width: image.width, height: image.height, a, b }, [bitmap]);
    } finally {
      busy = false;
    }
  },
};

export type PreviewTable = typeof table;
Comlink.expose(table);
