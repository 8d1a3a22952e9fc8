/** Annotation files, recipes and workspace files: bases, and what reads them. */
import fc from 'fast-check';
import { cocoSet, type ImageSet } from '../../src/data';
import { StudioError } from '../../src/numerics';
import { PRESETS, parseRecipe, type Recipe } from '../../src/pipeline';
import { cocoMetrics } from '../../src/steps/evaluate/coco';
import { exportWorkspace, importWorkspace, memoryStore } from '../../src/store';
import { damageJson, type JsonMutation, jsonMutations } from './json';
import { type Outcome, outcomeOf } from './outcome';

export type DocumentKind = 'annotations' | 'recipe' | 'workspace';

export interface DocumentCase {
  readonly kind: DocumentKind;
  readonly base: number;
  readonly mutations: readonly JsonMutation[];
}

export const documentCase: fc.Arbitrary<DocumentCase> = fc.record({
  kind: fc.constantFrom<DocumentKind[]>('annotations', 'annotations', 'recipe', 'recipe', 'workspace'),
  base: fc.nat(30),
  mutations: jsonMutations,
});

/** Three images of five; ids with gaps, a crowd, boxes beyond the image and without a size, an image that isn't there. */
export const ANNOTATIONS = {
  images: [
    { id: 7, file_name: 'a.jpg', width: 100, height: 40 },
    { id: 3, file_name: 'deep/b.png', width: 64, height: 64 },
    { id: 2 ** 40, file_name: 'c.jpg' },
    { id: 99, file_name: 'gone.jpg', width: 10, height: 10 },
  ],
  annotations: [
    { id: 1, image_id: 7, category_id: 90, bbox: [1, 2, 30, 20], area: 600, iscrowd: 0 },
    { id: 2, image_id: 7, category_id: 2, bbox: [-5, -5, 400, 400], area: 10, iscrowd: 1 },
    { id: 3, image_id: 3, category_id: 2, bbox: [0.5, 0.5, 10.25, 0], area: 0 },
    { id: 4, image_id: 1234, category_id: 2, bbox: [1, 1, 2, 2] },
    { id: 5, image_id: 3, category_id: 17, bbox: [1, 1, 2, 2] },
  ],
  categories: [
    { id: 2, name: 'bicycle' },
    { id: 90, name: 'toothbrush' },
  ],
};
const FILES = ['a.jpg', 'b.png', 'c.jpg', 'notes.txt'];

/** What a set that was read must hold to, whatever was in the file. */
function faultOf(set: ImageSet): string | null {
  const known = new Set(set.categories!.map(({ id }) => id));
  const ids = new Set(set.entries.map(({ id }) => id));
  if (ids.size !== set.entries.length) return 'two entries have one id';
  for (const { id, fileName, width, height, truths } of set.entries) {
    if (!Number.isFinite(id) || !FILES.includes(fileName)) return `entry ${id} is of ${fileName}`;
    if (![width, height].every((v) => v === null || (v > 0 && Number.isFinite(v)))) return `entry ${id} has the size ${width} × ${height}`;
    for (const { bbox, categoryId, area } of truths)
      if (![...bbox, area].every(Number.isFinite) || !(bbox[2] > 0 && bbox[3] > 0) || !known.has(categoryId))
        return `a box of ${id} is [${bbox}], ${area}, ${categoryId}`;
  }
  if (set.notes.some((note) => /[\p{Cc}\p{Cf}]/u.test(note) || note.length > 500))
    return `a note can't be shown: ${JSON.stringify(set.notes)}`;
  const images = set.entries.map(({ id, truths }) => ({
    id,
    truths,
    detections: truths.map(({ bbox: [x, y, width, height], categoryId }) => ({ x, y, width, height, score: 0.5, categoryId })),
  }));
  const { AP } = cocoMetrics(images, set.categories!);
  return AP === null || (AP >= 0 && AP <= 1 + 1e-9) ? null : `perfect boxes score ${AP}`;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // The readers of files say so themselves; tested beside them.
    throw new StudioError('bad-data', 'This is not JSON.', 'Nothing was read.');
  }
};

const recipes = Object.values(PRESETS);

/** A recipe that was read is complete, and reading it again changes nothing. */
function recipeFault(recipe: Recipe): string | null {
  const again = JSON.stringify(parseRecipe(JSON.parse(JSON.stringify(recipe))));
  return again === JSON.stringify(recipe) ? null : `read twice it differs: ${again}`;
}

/** A workspace's file with its index damaged. */
async function workspace(mutations: readonly JsonMutation[]): Promise<Blob> {
  const store = memoryStore();
  await store.put([
    {
      table: 'models',
      record: { id: 'a', name: 'a.onnx', bytes: Uint8Array.of(1, 2, 3), external: new Map([['w', Uint8Array.of(4)]]), at: 1 },
    },
    { table: 'datasets', record: { id: 'd', name: 'd', files: [{ path: 'x/y.jpg', file: new Blob(['jpg']) }], at: 2 } },
    { table: 'runs', record: { id: 'r', name: 'run', value: { rows: [{ id: 'fp32', macs: 1 }], when: new Date(0), big: 5n }, at: 3 } },
    { table: 'settings', record: { id: 's', value: { __proto__: null, deep: [new Float32Array(3), Number.NaN, undefined] } } },
  ]);
  const file = new Uint8Array(await (await exportWorkspace(store, { now: 5 })).arrayBuffer());
  const head = new TextDecoder().decode(file.subarray(0, 64));
  const size = Number(/ (\d+) *\n$/.exec(head)![1]);
  const text = damageJson(JSON.parse(new TextDecoder().decode(file.subarray(64, 64 + size))), mutations);
  const json = new TextEncoder().encode(text);
  return new Blob([`${head.replace(/\d+ *\n$/, String(json.length)).padEnd(63)}\n`, json, file.subarray(64 + size)]);
}

/** Nothing that was read may have reached every object. */
const pollution = (): string | null => (Object.hasOwn(Object.prototype, 'polluted') ? 'Object.prototype was changed' : null);

export async function examineDocument({ kind, base, mutations }: DocumentCase): Promise<Outcome> {
  const outcome = await (() => {
    if (kind === 'annotations') {
      const text = damageJson(ANNOTATIONS, mutations);
      return outcomeOf(() => cocoSet('set', parsed(text), FILES, async () => new Uint8Array()), faultOf);
    }
    if (kind === 'recipe') {
      const text = damageJson(recipes[base % recipes.length]!(), mutations);
      return outcomeOf(() => parseRecipe(parsed(text)), recipeFault);
    }
    return outcomeOf(async () => {
      const store = memoryStore();
      await importWorkspace(store, await workspace(mutations));
      // What was taken in can be written out again.
      await exportWorkspace(store);
    });
  })();
  const polluted = pollution();
  return polluted === null ? outcome : { kind: 'failure', text: polluted };
}
