import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawScene, SCENE_CATEGORIES, SCENE_CLASSES, sceneSet } from '../../src/data';
import { direction, ellipse } from '../../src/data/scenes/paths';
import { createCanvas, fill, rasterize } from '../../src/data/scenes/raster';

describe('painter', () => {
  it('angles agree with Math.cos and Math.sin', () => {
    for (let i = -40; i <= 40; i++) {
      const [c, s] = direction(i / 37);
      expect(c).toBeCloseTo(Math.cos((2 * Math.PI * i) / 37), 9);
      expect(s).toBeCloseTo(Math.sin((2 * Math.PI * i) / 37), 9);
    }
  });

  it('covers exactly the area of a shape', () => {
    const sum = (path: number[]) => rasterize(path, 64, 64)!.coverage.reduce((a, b) => a + b, 0);
    expect(sum([10.25, 10, 20.75, 10, 20.75, 30, 10.25, 30])).toBeCloseTo(210, 3);
    expect(Math.abs(sum(ellipse(32, 32, 20, 12, 200)) - Math.PI * 240)).toBeLessThan(1.5);
  });

  it('clips at the canvas, and knows what lies outside', () => {
    expect(rasterize([-10, -10, 5, -10, 5, 5, -10, 5], 64, 64)!.coverage.reduce((a, b) => a + b, 0)).toBeCloseTo(25, 3);
    expect(rasterize([70, 0, 80, 0, 80, 10], 64, 64)).toBeNull();
  });

  it('blends by coverage', () => {
    const canvas = createCanvas(2, 1);
    fill(canvas, [0.5, 0, 2, 0, 2, 1, 0.5, 1], { from: [200, 100, 0] });
    expect([...canvas.data].map(Math.round)).toEqual([100, 50, 0, 200, 100, 0]);
  });
});

describe('scenes', () => {
  it('differ by seed and repeat by seed', () => {
    expect(drawScene(3)).toEqual(drawScene(3));
    expect(drawScene(3).image.data).not.toEqual(drawScene(4).image.data);
  });

  it('show every class in all three sizes, each box within the image and no smaller than its pixels', () => {
    const set = sceneSet(1000, 60);
    const counts = new Array<number>(SCENE_CLASSES.length).fill(0);
    const sizes = { small: 0, medium: 0, large: 0 };
    for (const entry of set.entries)
      for (const { bbox, area, categoryId } of entry.truths) {
        const [x, y, w, h] = bbox;
        expect(x >= 0 && y >= 0 && x + w <= 320 && y + h <= 240).toBe(true);
        expect(area).toBeLessThanOrEqual(w * h);
        counts[categoryId - 1]!++;
        sizes[area < 1024 ? 'small' : area < 9216 ? 'medium' : 'large']++;
      }
    expect(Math.min(...counts)).toBeGreaterThan(8);
    expect(Math.min(...Object.values(sizes))).toBeGreaterThan(10);
    expect(SCENE_CATEGORIES.map((c) => c.name)).toContain('banana');
  });

  it('load what their entries say', async () => {
    const set = sceneSet(50, 3);
    expect(set.entries[2]!.truths).toEqual(drawScene(52).truths);
    expect(await set.load(2)).toEqual(drawScene(52).image);
    await expect(set.load(3)).rejects.toThrow('no index 3');
  });
});

describe('embedded detectors', () => {
  const folder = 'static/models';
  const list = JSON.parse(readFileSync(join(folder, 'embedded.json'), 'utf8')) as {
    file: string;
    sha256: string;
    bytes: number;
    classes: string[];
  }[];

  it('are the files that the list describes, together at most 1.5 MB', () => {
    expect(list.map((e) => e.file)).toEqual(['scenes-depthwise.onnx', 'scenes-dense.onnx']);
    for (const entry of list) {
      const path = join(folder, entry.file);
      expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(entry.sha256);
      expect(statSync(path).size).toBe(entry.bytes);
      expect(entry.classes).toEqual(SCENE_CLASSES);
    }
    expect(list.reduce((sum, e) => sum + e.bytes, 0)).toBeLessThanOrEqual(1_500_000);
  });
});
