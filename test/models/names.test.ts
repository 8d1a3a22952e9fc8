import { describe, expect, it } from 'vitest';
import { COCO_CATEGORY_IDS, COCO_NAMES, categoryMap, classNamesFor, parseNames } from '../../src/models';
import type { Model } from '../../src/onnx';

describe('parseNames', () => {
  it('reads JSON, Python and plain lists', () => {
    expect(parseNames('["a","b"]')).toEqual(['a', 'b']);
    expect(parseNames('{"1":"b","0":"a"}')).toEqual(['a', 'b']);
    expect(parseNames("{0: 'person', 1: \"driver's seat\"}")).toEqual(['person', "driver's seat"]);
    expect(parseNames("['x', 'y']")).toEqual(['x', 'y']);
    expect(parseNames('cat, dog\nbird')).toEqual(['cat', 'dog', 'bird']);
  });

  it('gives up on anything else', () => {
    expect(parseNames('{"3":"b"}')).toBeNull();
    expect(parseNames('detect')).toBeNull();
    expect(parseNames('7')).toBeNull();
    expect(parseNames('[]')).toBeNull();
  });
});

describe('classNamesFor', () => {
  const model = (metadata: Record<string, string>) => ({ metadata }) as unknown as Model;
  it('prefers the file, then COCO, then numbers', () => {
    expect(classNamesFor(model({ names: '["a","b"]' }), 2)).toEqual(['a', 'b']);
    expect(classNamesFor(model({ names: '["a","b"]' }), 3)).toEqual(['class 0', 'class 1', 'class 2']);
    expect(classNamesFor(model({}), 80)).toBe(COCO_NAMES);
  });
});

describe('COCO', () => {
  it('has 80 classes on 90 ids with ten gaps', () => {
    expect(COCO_NAMES.length).toBe(80);
    expect(new Set(COCO_NAMES).size).toBe(80);
    expect(COCO_CATEGORY_IDS.length).toBe(80);
    const id = (name: string) => COCO_CATEGORY_IDS[COCO_NAMES.indexOf(name)];
    expect(['person', 'stop sign', 'bear', 'bottle', 'banana', 'tv', 'toothbrush'].map(id)).toEqual([1, 13, 23, 44, 52, 72, 90]);
  });
});

describe('categoryMap', () => {
  it('maps by name whatever the order, and says what the annotations lack', () => {
    const map = categoryMap(
      ['cat', 'dog', 'Potted_Plant'],
      [
        { id: 90, name: 'potted plant' },
        { id: 7, name: 'cat' },
      ],
    );
    expect(map).toMatchObject({ ids: [7, null, 90], by: 'name', notes: ["Classes that the annotations don't have are left out: dog."] });
  });

  it('maps by the order of the ids where no name fits', () => {
    const map = categoryMap(
      ['class 0', 'class 1'],
      [
        { id: 90, name: 'b' },
        { id: 1, name: 'a' },
      ],
    );
    expect(map).toEqual({ ids: [1, 90], by: 'order', notes: [] });
    expect(categoryMap(['class 0', 'class 1'], [{ id: 5, name: 'a' }]).ids).toEqual([5, null]);
  });
});
