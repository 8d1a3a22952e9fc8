/** Worker beside the jobs: decodes files and draws scenes while a network runs. */
import * as Comlink from 'comlink';
import { decodeImage, sceneSet } from '../src/data';
import '../src/data/web';
import type { RgbImage } from '../src/numerics';
import { keepErrors } from './wire';

keepErrors();

const moved = (image: RgbImage) => Comlink.transfer(image, [image.data.buffer as ArrayBuffer]);

const table = {
  async file(file: Blob, fileName: string, expected: { readonly width: number; readonly height: number } | null) {
    return moved(await decodeImage(new Uint8Array(await file.arrayBuffer()), fileName, { expected }));
  },

  async scene(seed: number) {
    return moved(await sceneSet(seed, 1).load(0));
  },
};

export type DecodeTable = typeof table;
Comlink.expose(table);
