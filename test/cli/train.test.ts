/** `bonsai train` as a user calls it, killed and resumed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { matchFamily } from '../../src/models';
import { analyze, parseModel } from '../../src/onnx';
import { bonsai, inTurn, start } from './process';

const ARGUMENTS = ['train', 'scenes-depthwise', '--steps', '3', '--seed', '3', '--limit', '1', '--json'];

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bonsai-train-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('train', () => {
  it('writes the detector, its record and its place in the list; killed and resumed it is the same to the bit', {
    timeout: 600_000,
  }, async () => {
    const [whole, cut] = [join(root, 'whole'), join(root, 'cut')];
    const first = await bonsai(...ARGUMENTS, '--out', whole);
    expect([first.code, first.stderr]).toEqual([0, expect.stringMatching(/^0: unseen/m)]);
    expect(readdirSync(whole).sort()).toEqual(['embedded.json', 'scenes-depthwise.json', 'scenes-depthwise.onnx']);
    const bytes = new Uint8Array(readFileSync(join(whole, 'scenes-depthwise.onnx')));
    const model = parseModel(bytes);
    expect(model.opsets['']).toBe(11);
    expect(JSON.parse(model.metadata.names!)).toMatchObject({ 0: 'apple', 7: 'star' });
    expect(model.metadata.seed).toBe('3');
    expect(analyze(model).parameters).toBe(154_319);
    expect(matchFamily(model)).toMatchObject({ family: 'yolox', variant: 'raw', sigmoidApplied: true });
    const record = JSON.parse(readFileSync(join(whole, 'scenes-depthwise.json'), 'utf8'));
    expect(JSON.parse(first.stdout)).toEqual(record);
    expect(record).toMatchObject({
      name: 'scenes-depthwise',
      heldOut: { seed: 500_000, count: 1 },
      options: { steps: 3, seed: 3, kind: 'depthwise' },
    });
    expect(record.curve.map(({ step }: { step: number }) => step)).toEqual([0, 1, 2, 3]);
    expect(record.curve[3].unseen).toBeGreaterThan(0);
    expect(Number(model.metadata.heldOutMap)).toBeCloseTo(record.heldOut.mAP, 2);

    const resume = [...ARGUMENTS, '--out', cut, '--resume'];
    const { child, ended } = start(...ARGUMENTS, '--out', cut);
    const checkpoint = join(cut, 'scenes-depthwise.checkpoint');
    while (!existsSync(checkpoint)) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    expect((await ended).code).toBe(null);
    expect(existsSync(join(cut, 'scenes-depthwise.onnx'))).toBe(false);
    expect(
      await inTurn([
        [...ARGUMENTS, '--out', cut],
        [...resume, '--seed', '4'],
        ['train', 'yolo'],
      ]),
    ).toMatchObject(
      [
        'is left from a run that did not end. Go on with --resume',
        'of a run with other options (3 steps, seed 3)',
        'There is no detector "yolo" to train. Usage: train scenes-depthwise | scenes-dense',
      ].map((sentence) => ({ code: 2, stderr: expect.stringContaining(sentence) })),
    );
    const second = await bonsai(...resume);
    expect(second.code, second.stderr).toBe(0);
    expect(new Uint8Array(readFileSync(join(cut, 'scenes-depthwise.onnx')))).toEqual(bytes);
    expect(JSON.parse(second.stdout).curve).toEqual(record.curve);
    expect(existsSync(checkpoint)).toBe(false);
  });
});
