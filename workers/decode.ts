/** Worker beside the jobs: decodes files and draws scenes while a network runs. */
import * as Comlink from 'comlink';
import { decodeImage, sceneSet } from '../src/data';
import '../src/data/web';
import { type Preprocess, preprocess } from '../src/models';
import type { RgbImage } from '../src/numerics';
import { keepErrors } from './wire';

keepErrors();

const moved = (image: RgbImage) => Comlink.transfer(image, [image.data.buffer as ArrayBuffer]);

type Size = { readonly width: number; readonly height: number } | null;

const decoded = async (file: Blob, fileName: string, expected: Size) =>
  decodeImage(new Uint8Array(await file.arrayBuffer()), fileName, { expected });

function prepared(image: RgbImage, p: Preprocess) {
  const ready = preprocess(image, p);
  return Comlink.transfer(ready, [ready.input.buffer as ArrayBuffer]);
}

const table = {
  file: async (file: Blob, fileName: string, expected: Size) => moved(await decoded(file, fileName, expected)),
  scene: async (seed: number) => moved(await sceneSet(seed, 1).load(0)),
  /** The same as network inputs. */
  preparedFile: async (file: Blob, fileName: string, expected: Size, p: Preprocess) => prepared(await decoded(file, fileName, expected), p),
  preparedScene: async (seed: number, p: Preprocess) => prepared(await sceneSet(seed, 1).load(0), p),
};

export type DecodeTable = typeof table;
Comlink.expose(table);
