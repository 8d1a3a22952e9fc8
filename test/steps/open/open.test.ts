import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StudioError } from '../../../src/numerics';
import { serializeModel } from '../../../src/onnx';
import type { Engine } from '../../../src/runtime';
import { createNodeEngine } from '../../../src/runtime/node';
import { choosePreprocess, openModel, prepareModel, serialized } from '../../../src/steps/open';
import { scenes } from '../../fixtures/scenes';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { maxDifference, randomFeeds, runModel } from '../../onnx/ort';

const SCENES = new Uint8Array(readFileSync('static/models/scenes-depthwise.onnx'));

describe('openModel', () => {
  it('gives the same function, and is stable: what it writes opens to the same hash', async () => {
    const model = tinyYolox();
    const artifact = await openModel('tiny.onnx', serializeModel(model));
    const feeds = randomFeeds(model);
    expect(maxDifference(await runModel(model, feeds), await runModel(artifact.model, feeds))).toBeLessThan(1e-4);
    const again = await openModel('again.onnx', serialized(artifact.model));
    expect(again.hash).toBe(artifact.hash);
    expect(artifact.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(prepareModel(artifact.model)).toEqual(artifact.model);
  });

  it('another weight is another hash', async () => {
    const a = await openModel('a.onnx', serializeModel(tinyYolox()));
    const [name, tensor] = [...a.model.graph.initializers].find(([, { dtype }]) => dtype === 'float32')!;
    const data = (tensor.data as Float32Array).slice();
    data[0]! += 1;
    const initializers = new Map(a.model.graph.initializers).set(name, { ...tensor, data });
    const b = await openModel('a.onnx', serialized({ ...a.model, graph: { ...a.model.graph, initializers } }));
    expect(b.hash).not.toBe(a.hash);
  });

  it('refuses what is no model', async () => {
    await expect(openModel('x.onnx', new TextEncoder().encode('hello, world'))).rejects.toMatchObject({ code: 'bad-file' });
  });
});

describe('choosePreprocess', () => {
  let engine: Engine;
  const cancel = { aborted: false, throwIfAborted() {} };
  const images = scenes(0, 8);
  beforeAll(async () => {
    engine = await createNodeEngine({ threads: 1 });
  });
  afterAll(async () => {
    expect(engine.liveSessions).toBe(0);
    await engine.dispose();
  });

  it('auto keeps the family’s convention where it works', async () => {
    const { artifact, choice } = await choosePreprocess(await openModel('s.onnx', SCENES), images, 'auto', { engine, cancel });
    expect(choice).toEqual({ name: 'BGR, 0–255, letterbox, image top-left', proposed: false, note: null });
    expect(artifact.spec!.preprocess).toMatchObject({ channels: 'bgr', mean: [0, 0, 0], std: [1, 1, 1], resize: 'letterbox-corner' });
  });

  it('a preset is taken as asked for', async () => {
    const opened = await openModel('s.onnx', SCENES);
    const { artifact, choice } = await choosePreprocess(opened, images, 'rgb-0-1-stretch', { engine, cancel });
    expect(choice).toEqual({ name: 'RGB, 0–1, stretched', proposed: false, note: null });
    expect(artifact.spec!.preprocess).toMatchObject({ channels: 'rgb', std: [255, 255, 255], resize: 'stretch', width: 224, height: 224 });
    expect(artifact.hash).toBe(opened.hash);
  });

  it('an unknown preset is refused, a cancel is heard', async () => {
    const opened = await openModel('s.onnx', SCENES);
    await expect(choosePreprocess(opened, images, 'sepia', { engine, cancel })).rejects.toMatchObject({ code: 'bad-option' });
    const stop = () => {
      throw new StudioError('cancelled', 'Cancelled.', '');
    };
    const cancelled = { aborted: true, throwIfAborted: stop };
    await expect(choosePreprocess(opened, images, 'auto', { engine, cancel: cancelled })).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('images that can’t be decoded are passed over', async () => {
    const damaged = {
      ...images,
      load: (i: number) => (i < 4 ? Promise.reject(new StudioError('bad-data', 'damaged', 'Choose another.')) : images.load(i)),
    };
    const { choice } = await choosePreprocess(await openModel('s.onnx', SCENES), damaged, 'auto', { engine, cancel });
    expect(choice.proposed).toBe(false);
  });

  it('a generic network needs none', async () => {
    const { artifact, choice } = await choosePreprocess({ ...(await openModel('s.onnx', SCENES)), spec: null }, images, 'auto', {
      engine,
      cancel,
    });
    expect([artifact.spec, choice]).toEqual([null, { name: 'default', proposed: false, note: null }]);
  });
});
