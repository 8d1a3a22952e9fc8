/** A short slice of `npm run fuzz`, and every input that ever failed. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Case, examineCase, FAMILIES, type FamilyName } from './cases';
import { ANNOTATIONS } from './documents';
import { createExaminer } from './examiner';
import { claims, IMAGE_BASES, imageOf } from './images';
import { BASE_NAMES, baseOf } from './models/bases';
import seeds from './seeds.json';

const examiner = createExaminer();
afterAll(() => examiner.close());

describe('what failed once', () => {
  it.each(seeds.map(({ why, case: given }) => [why, given] as const))('%s', async (_why, given) => {
    const { outcome } = await examiner.examine(given as Case);
    expect(outcome.kind === 'failure' ? outcome.text : '').toBe('');
  });
});

describe('a slice of the fuzz', () => {
  const RUNS: Readonly<Record<FamilyName, number>> = { models: 120, images: 60, documents: 150 };

  it.each(Object.keys(FAMILIES) as FamilyName[])('%s end in a result or a sentence', async (family) => {
    await fc.assert(
      fc.asyncProperty(FAMILIES[family], async (drawn) => {
        const { outcome } = await examiner.examine(drawn);
        if (outcome.kind === 'failure') throw new Error(outcome.text);
      }),
      { seed: 7, numRuns: RUNS[family] },
    );
    expect(examiner.processes).toBe(1);
  });

  it('starts from what is valid', async () => {
    for (const base of BASE_NAMES.filter((name) => !name.startsWith('op:')))
      expect(await examineCase({ kind: 'model', base, mutations: [], deep: false }), base).toEqual({ kind: 'result' });
    for (const base of IMAGE_BASES.filter((name) => !/huge|large|empty|line/.test(name)))
      expect(await examineCase({ kind: 'image', base, name: 'x', mutations: [] }), base).toEqual({ kind: 'result' });
    for (const kind of ['annotations', 'recipe', 'workspace'] as const)
      expect(await examineCase({ kind, base: 0, mutations: [] }), kind).toEqual({ kind: 'result' });
    expect(ANNOTATIONS.images.length).toBeGreaterThan(3);
    expect(claims(imageOf('baseline'), 1, 1)).not.toEqual(imageOf('baseline'));
    expect(baseOf('external').external?.size).toBe(1);
  });
});

describe('the watchdog', () => {
  it('reports a case that the fuzz itself can’t make, and goes on in another process', async () => {
    const own = createExaminer();
    const broken = { kind: 'model', base: 'no such base', mutations: [], deep: false } as const;
    expect((await own.examine(broken)).outcome).toMatchObject({ kind: 'failure' });
    expect((await own.examine({ ...broken, base: 'op:Relu' })).outcome).toEqual({ kind: 'result' });
    expect(own.processes).toBe(2);
    own.close();
  });
});
