/** `bonsai search` as a user calls it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRecipe } from '../../src/pipeline';
import { writeScenes } from './coco-dir';
import { bonsai, inTurn, lastLine } from './process';

const MODEL = 'static/models/scenes-depthwise.onnx';

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'bonsai-search-'));
  await writeScenes(join(root, 'calib'), 0, 8, { format: 'jpg', labelled: false });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('search', () => {
  it('writes the best recipe, and goes on from the trials beside it', async () => {
    const out = join(root, 'found', 'recipe.json');
    const args = ['search', MODEL, '--calib', join(root, 'calib'), '--out', out, '--threads', '1', '--trials', '2', '--json'];
    const first = await bonsai(...args);
    expect([first.code, first.stderr.includes('Error')]).toEqual([0, false]);
    const found = lastLine(first.stdout);
    expect(found).toMatchObject({ ended: 'budget', kind: 'agreement', images: { fit: 4, score: 4 } });
    expect(found.trials).toHaveLength(2);
    const recipe = parseRecipe(JSON.parse(readFileSync(out, 'utf8')));
    expect(recipe).toEqual(found.best[0]);
    expect(existsSync(`${out}.trials.json`)).toBe(true);

    const again = await bonsai(...args);
    expect(lastLine(again.stdout).trials).toEqual(found.trials);
  });

  it('says what is wrong in one sentence', async () => {
    const cases = [
      [['search', MODEL], 'No calibration images were given.'],
      [['search', MODEL, '--calib', root, '--seconds', 'soon'], '--seconds is "soon".'],
      [['search', MODEL, '--calib', root, '--trials', '0'], '--trials is "0".'],
      [['search', MODEL, '--calib', join(root, 'calib'), '--out', root], `${root} is a folder.`],
    ] as const;
    const outcomes = await inTurn(cases.map(([args]) => args));
    for (const [i, [, sentence]] of cases.entries())
      expect(outcomes[i]).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
  });
});
