/** Worker that grows a detector from random weights, and shows what it finds as it learns. */
import * as Comlink from 'comlink';
import { sceneSet } from '../src/data';
import type { RgbImage } from '../src/numerics';
import { serializeModel } from '../src/onnx';
import { evaluateModel } from '../src/pipeline';
import { growDetector, LIVE_RECIPE } from '../src/training';
import { openSwitches, type Switches, type SwitchFlags, type SwitchName } from './cancel';
import { enginesFor } from './engines';
import { toBitmap } from './images';
import { look, watch } from './previewer';
import { type GrowCallbacks, type GrownDetector, keepErrors } from './wire';

keepErrors();
let current: Switches | null = null;

/** Scenes on show, and those that judge; no step sees either. */
const SHOWN = { first: 600_000, count: 4 };
const JUDGES = { first: 500_000, count: 12 };
/** A young network is unsure of everything: below this nothing is drawn. */
const SCORE = 0.2;
const NAME = 'grown.onnx';

const table = {
  /** Throws StudioError 'cancelled' after `turn('cancel', true)` or a raised flag. */
  async grow(flags: SwitchFlags, on: Comlink.Remote<GrowCallbacks>): Promise<GrownDetector> {
    const { cancel, control } = (current = openSwitches(flags));
    const { engine } = await enginesFor('wasm');
    const shown = sceneSet(SHOWN.first, SHOWN.count);
    const judges = sceneSet(JUDGES.first, JUDGES.count);
    const images: RgbImage[] = [];
    for (let i = 0; i < SHOWN.count; i++) images.push(await shown.load(i));
    const bitmaps = await Promise.all(images.map(toBitmap));
    void on.scenes(Comlink.transfer(bitmaps, bitmaps));
    const { steps, batch } = LIVE_RECIPE;
    const quiet = { engine, gpu: null, cancel, progress: () => undefined };
    const { model, best } = await growDetector(LIVE_RECIPE, {
      engine,
      cancel,
      ...control,
      onStep: ({ step }) => void on.progress({ step: 'grow', label: 'Growing', done: step * batch, total: steps * batch }),
      evaluate: async (bytes) => (await evaluateModel({ name: NAME, bytes }, judges, 'auto', quiet)).metrics.mAP,
      onLook: async ({ step, loss, parts = {}, unseen, mAP, model: bytes }) => {
        const watched = await watch({ name: NAME, bytes }, 'wasm', shown, null);
        try {
          const found = [];
          for (const image of images) found.push((await look(watched, image, SCORE)).detections);
          const point = { run: 'Growing', step: step * batch, total: steps * batch, loss, parts, unseen, rate: null, mAP };
          void on.look(point, found, watched.info.classNames);
        } finally {
          await watched.session.release();
        }
      },
    });
    const bytes = serializeModel(model);
    return Comlink.transfer({ name: NAME, bytes, step: best.step * batch }, [bytes.buffer as ArrayBuffer]);
  },

  turn(name: SwitchName, on: boolean) {
    current?.turn(name, on);
  },
};

export type GrowTable = typeof table;
Comlink.expose(table);
