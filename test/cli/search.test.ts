/** `bonsai search` as a user calls it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRecipe } from '../../src/pipeline';
import { writeScenes } from './coco-dir';

const MODEL = 'static/models/scenes-depthwise.onnx';

function bonsai(...args: string[]) {
  return spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/bonsai.ts', ...args], { encoding: 'utf8' });
}

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'bonsai-search-'));
  await writeScenes(join(root, 'calib'), 0, 8, { format: 'jpg', labelled: false });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('search', () => {
  it('writes the best recipe, and goes on from the trials beside it', () => {
    const out = join(root, 'found', 'recipe.json');
    const args = ['search', MODEL, '--calib', join(root, 'calib'), '--out', out, '--threads', '1', '--trials', '2', '--json'];
    const first = bonsai(...args);
    expect([first.status, first.stderr.includes('Error')]).toEqual([0, false]);
    const found = JSON.parse(first.stdout.trimEnd().split('\n').at(-1)!);
    expect(found).toMatchObject({ ended: 'budget', kind: 'agreement', images: { fit: 4, score: 4 } });
    expect(found.trials).toHaveLength(2);
    const recipe = parseRecipe(JSON.parse(readFileSync(out, 'utf8')));
    expect(recipe).toEqual(found.best[0]);
    expect(existsSync(`${out}.trials.json`)).toBe(true);

    const again = bonsai(...args);
    expect(JSON.parse(again.stdout.trimEnd().split('\n').at(-1)!).trials).toEqual(found.trials);
  }, 240_000);

  it('says what is wrong in one sentence', () => {
    const cases = [
      [['search', MODEL], 'No calibration images were given.'],
      [['search', MODEL, '--calib', root, '--seconds', 'soon'], '--seconds is "soon".'],
      [['search', MODEL, '--calib', root, '--trials', '0'], '--trials is "0".'],
      [['search', MODEL, '--calib', join(root, 'calib'), '--out', root], `${root} is a folder.`],
    ] as const;
    for (const [args, sentence] of cases) {
      const { status, stderr } = bonsai(...args);
      expect(stderr).toContain(sentence);
      expect(status).toBe(2);
    }
  }, 120_000);
});
