import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cocoSet, folderSet, sample, split } from '../../src/data';
import { openImageDir } from '../../src/data/node';
import { gradientJpeg, palettePng, turnedJpeg } from './files';

const unread = () => Promise.reject(new Error('not read'));
const image = (id: number, file_name: string, width = 100, height = 40) => ({ id, file_name, width, height });
const box = (image_id: number, category_id: number, bbox: unknown, more = {}) => ({ image_id, category_id, bbox, ...more });
const categories = [
  { id: 90, name: 'tree' },
  { id: 1, name: 'apple' },
];

describe('COCO annotations', () => {
  it('keep sparse category ids, their order, crowd and area', () => {
    const json = {
      images: [image(7, 'a.jpg'), image(3, 'b.jpg')],
      annotations: [box(3, 90, [1, 2, 30, 4], { area: 99, iscrowd: 1 }), box(7, 1, [0, 0, 10, 5])],
      categories,
    };
    const set = cocoSet('set', json, ['b.jpg', 'a.jpg'], unread);
    expect(set.categories).toEqual(categories);
    expect(set.entries).toEqual([
      { id: 7, fileName: 'a.jpg', width: 100, height: 40, truths: [{ bbox: [0, 0, 10, 5], categoryId: 1, area: 50, crowd: false }] },
      { id: 3, fileName: 'b.jpg', width: 100, height: 40, truths: [{ bbox: [1, 2, 30, 4], categoryId: 90, area: 99, crowd: true }] },
    ]);
    expect(set.notes).toEqual([]);
  });

  it('say what they leave out', () => {
    const json = {
      images: [image(1, 'a.jpg'), image(2, 'gone.jpg'), image(3, 'lost.jpg')],
      annotations: [
        box(1, 1, [0, 0, Number.NaN, 5]),
        box(1, 1, [0, 0, -3, 5]),
        box(1, 1, [0, 0, 5]),
        box(1, 2, [0, 0, 5, 5]),
        box(44, 1, [0, 0, 5, 5]),
        box(1, 1, [90, 0, 50, 5]),
      ],
      categories,
    };
    const set = cocoSet('set', json, ['a.jpg'], unread);
    expect(set.entries.map((e) => e.truths.length)).toEqual([1]);
    expect(set.notes).toEqual([
      '2 images with annotations not found and left out: gone.jpg, lost.jpg.',
      '3 annotations without a valid box left out.',
      "1 annotation of a category that the file doesn't list left out.",
      "Annotations of 1 image that the file doesn't list left out.",
      '1 box outside the image in part or whole: boxes are x, y, width, height in pixels.',
    ]);
  });

  it('say that boxes look relative', () => {
    const json = { images: [image(1, 'a.jpg')], annotations: [box(1, 1, [0.1, 0.2, 0.5, 0.3])], categories };
    expect(cocoSet('set', json, ['a.jpg'], unread).notes).toEqual([
      'All boxes lie between 0 and 1: they seem to be relative, COCO wants pixels.',
    ]);
  });

  it('find files by their last part where folders differ', () => {
    const json = { images: [image(1, 'val2017/a.jpg')], annotations: [], categories };
    expect(cocoSet('set', json, ['dropped/images/a.jpg'], unread).entries[0]!.fileName).toBe('dropped/images/a.jpg');
  });

  it.each([
    [
      'of other images',
      { images: [image(1, 'x.jpg')], annotations: [], categories },
      'The annotations are of other images: none of its 1 image is in set (it lists x.jpg).',
    ],
    ['no object', [1, 2], 'The annotation file is not a JSON object.'],
    ['no images', { annotations: [], categories }, 'The annotation file has no list "images".'],
    ['no categories', { images: [], annotations: [] }, 'The annotation file has no list "categories".'],
    ['category without id', { images: [], categories: [{ name: 'a' }] }, 'Category 0 of the annotation file has no numeric id.'],
  ])('refuse: %s', (_, json, message) => {
    expect(() => cocoSet('set', json, ['a.jpg'], unread)).toThrow(expect.objectContaining({ code: 'bad-data', message }));
  });
});

describe('folders', () => {
  const root = mkdtempSync(join(tmpdir(), 'bonsai-data-'));
  afterAll(() => rmSync(root, { recursive: true }));
  const make = (name: string, files: Record<string, Uint8Array | string>) => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(root, name, path, '..'), { recursive: true });
      writeFileSync(join(root, name, path), content);
    }
    mkdirSync(join(root, name), { recursive: true });
    return join(root, name);
  };

  it('open with annotations; a rotated file follows the size in the JSON', async () => {
    const json = { images: [image(5, 't.jpg', 100, 40), image(9, 'u.jpg', 40, 100)], annotations: [], categories };
    const folder = make('coco', { 'instances.json': JSON.stringify(json), 'images/t.jpg': turnedJpeg, 'images/u.jpg': turnedJpeg });
    const set = await openImageDir(folder);
    expect(set.name).toBe('coco');
    const [stored, turned] = [await set.load(0), await set.load(1)];
    expect([stored.width, stored.height, turned.width, turned.height]).toEqual([100, 40, 40, 100]);
  });

  it('open without annotations, sorted by name, other files ignored', async () => {
    const folder = make('plain', { 'b.png': palettePng, 'a.jpg': gradientJpeg, 'notes.txt': 'x', '._a.jpg': 'x' });
    const set = await openImageDir(folder);
    expect(set.categories).toBeNull();
    expect(set.entries.map((e) => [e.id, e.fileName])).toEqual([
      [0, 'a.jpg'],
      [1, 'b.png'],
    ]);
    expect((await set.load(1)).width).toBe(3);
    await expect(set.load(2)).rejects.toThrow('there is no index 2');
  });

  it('open with images/ alone', async () => {
    expect((await openImageDir(make('nested', { 'images/a.jpg': gradientJpeg }))).entries).toHaveLength(1);
  });

  it('one damaged image does not stop the others', async () => {
    const set = await openImageDir(make('mixed', { 'a.jpg': gradientJpeg.slice(0, 500), 'b.jpg': '<html></html>', 'c.jpg': gradientJpeg }));
    await expect(set.load(0)).rejects.toMatchObject({ code: 'bad-data', message: expect.stringContaining('a.jpg') });
    await expect(set.load(1)).rejects.toMatchObject({ code: 'bad-data', message: 'b.jpg is an HTML page, not a JPEG or PNG.' });
    expect((await set.load(2)).width).toBe(100);
  });

  it.each([
    ['empty', {}, 'There are no images in empty.'],
    ['empty-coco', { 'instances.json': '{"images":[],"categories":[]}' }, 'There are no images in empty-coco.'],
    ['bad-json', { 'instances.json': '{"images":', 'a.jpg': gradientJpeg }, 'is not valid JSON'],
  ])('%s is refused with a sentence', async (name, files, message) => {
    await expect(openImageDir(make(name, files))).rejects.toMatchObject({ code: 'bad-data', message: expect.stringContaining(message) });
  });

  it('a missing folder is a bad option', async () => {
    await expect(openImageDir(join(root, 'none'))).rejects.toMatchObject({ code: 'bad-option' });
  });
});

describe('parts of a set', () => {
  const files = Array.from({ length: 20 }, (_, i) => `${String(i).padStart(2, '0')}.jpg`);
  const set = folderSet('twenty', files, async (name) => new TextEncoder().encode(name));

  it('are disjoint, complete, in order and repeat by seed', () => {
    const [a, b] = split(set, 6, 1);
    const names = (s: typeof a) => s.entries.map((e) => e.fileName);
    expect([a.entries.length, b.entries.length]).toEqual([6, 14]);
    expect([...names(a), ...names(b)].sort()).toEqual(files);
    expect(names(a)).toEqual([...names(a)].sort());
    expect(names(sample(set, 6, 1))).toEqual(names(a));
    expect(names(sample(set, 6, 2))).not.toEqual(names(a));
    expect(sample(set, 50, 1).entries).toHaveLength(20);
  });

  it('load the image of their own entry', async () => {
    const part = sample(set, 3, 5);
    await expect(part.load(2)).rejects.toThrow(`${part.entries[2]!.fileName} is not a JPEG or PNG`);
  });
});
