/** Folders as users have them, made of scenes: images as PNG or JPEG, and a COCO instances.json. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import encodeJpeg, { init as initJpeg } from '@jsquash/jpeg/encode.js';
import encodePng, { init as initPng } from '@jsquash/png/encode.js';
import { SCENE_CATEGORIES, sceneSet } from '../../src/data';
import type { RgbImage } from '../../src/numerics';

async function ready(): Promise<void> {
  const compile = (file: string) => WebAssembly.compile(readFileSync(`node_modules/@jsquash/${file}`));
  await (initJpeg as unknown as (module: WebAssembly.Module) => Promise<void>)(await compile('jpeg/codec/enc/mozjpeg_enc.wasm'));
  await initPng(await compile('png/codec/pkg/squoosh_png_bg.wasm'));
}

function rgba({ width, height, data }: RgbImage): ImageData {
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) pixels.set(data.subarray(i * 3, i * 3 + 3), i * 4);
  return { width, height, data: pixels, colorSpace: 'srgb' } as ImageData;
}

/** Writes scenes `first`… as images/NNN.png or .jpg, with instances.json unless `labelled` is false. */
export async function writeScenes(
  folder: string,
  first: number,
  count: number,
  { format = 'png', labelled = true }: { format?: 'png' | 'jpg'; labelled?: boolean } = {},
): Promise<void> {
  await ready();
  const set = sceneSet(first, count);
  mkdirSync(join(folder, 'images'), { recursive: true });
  const images: object[] = [];
  const annotations: object[] = [];
  for (const [index, { truths }] of set.entries.entries()) {
    const image = await set.load(index);
    const file_name = `${String(index).padStart(3, '0')}.${format}`;
    const bytes = format === 'png' ? await encodePng(rgba(image)) : await encodeJpeg(rgba(image), { quality: 92 });
    writeFileSync(join(folder, 'images', file_name), new Uint8Array(bytes));
    images.push({ id: index + 1, file_name, width: image.width, height: image.height });
    for (const { bbox, categoryId, area } of truths)
      annotations.push({ id: annotations.length + 1, image_id: index + 1, category_id: categoryId, bbox, area, iscrowd: 0 });
  }
  if (labelled) writeFileSync(join(folder, 'instances.json'), JSON.stringify({ images, annotations, categories: SCENE_CATEGORIES }));
}
