import { describe, expect, it } from 'vitest';
import { filesToImageSet } from '../../src/data/web';
import { gradientJpeg, turnedJpeg } from './files';

const picked = (path: string, content: Uint8Array | string) => ({ path, file: new Blob([content as BlobPart]) });
const json = (name: string) =>
  JSON.stringify({
    images: [{ id: 4, file_name: name, width: 100, height: 40 }],
    annotations: [{ image_id: 4, category_id: 1, bbox: [1, 2, 3, 4] }],
    categories: [{ id: 1, name: 'apple' }],
  });

describe('picked and dropped files', () => {
  it('images alone', async () => {
    const set = await filesToImageSet([picked('d/b.jpg', turnedJpeg), picked('d/a.jpg', gradientJpeg), picked('d/readme.md', 'x')], 'd');
    expect(set.entries.map((e) => e.fileName)).toEqual(['d/a.jpg', 'd/b.jpg']);
    const image = await set.load(1);
    expect([image.width, image.height]).toEqual([40, 100]);
  });

  it('with annotations: the stored size of the JSON wins over EXIF', async () => {
    const set = await filesToImageSet([picked('d/images/t.jpg', turnedJpeg), picked('d/instances.json', json('t.jpg'))], 'd');
    expect(set.entries[0]!.truths[0]!.bbox).toEqual([1, 2, 3, 4]);
    const image = await set.load(0);
    expect([image.width, image.height]).toEqual([100, 40]);
  });

  it.each([
    ['nothing', [], 'There are no images in d.'],
    [
      'annotations of other images',
      [picked('a.jpg', gradientJpeg), picked('i.json', json('x.jpg'))],
      'The annotations are of other images',
    ],
    [
      'two annotation files',
      [picked('a.jpg', gradientJpeg), picked('i.json', '{}'), picked('j.json', '{}')],
      'd has 2 annotation files (i.json, j.json).',
    ],
    ['broken JSON', [picked('a.jpg', gradientJpeg), picked('i.json', '{')], 'i.json is not valid JSON'],
  ])('%s: one sentence', async (_, files, message) => {
    await expect(filesToImageSet(files, 'd')).rejects.toMatchObject({ code: 'bad-data', message: expect.stringContaining(message) });
  });
});
