import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import decode, { init } from '@jsquash/jpeg/decode.js';
import { describe, expect, it } from 'vitest';
import {
  applyPreset,
  type DetectorSpec,
  describePreprocess,
  inputDims,
  matchFamily,
  PRESETS,
  type Preprocess,
  probePreprocess,
} from '../../src/models';
import type { RgbImage } from '../../src/numerics';
import { type Model, node, parseModel, serializeModel, tensor, withGraph } from '../../src/onnx';
import { createNodeEngine } from '../../src/runtime/node';
import { yoloxModel } from './fixtures';

const spec = matchFamily(yoloxModel({ classes: 3, form: 'decoded' }))!;
const preset = (id: string) => applyPreset(spec.preprocess, PRESETS.find((p) => p.id === id)!);

/** A gray image with a red square: pixels x, y … x + 16. */
function redSquare(x: number, y: number): RgbImage {
  const data = new Uint8Array(64 * 64 * 3).fill(90);
  for (let j = y; j < y + 16; j++) for (let i = x; i < x + 16; i++) data.set([250, 10, 10], (j * 64 + i) * 3);
  return { width: 64, height: 64, data };
}

/** Finds red pixels, if it is fed as it wants: `truth` (RGB 0–1). Fed 0–255 it is sure of a box at a place of its own. */
function redFinder(truth: Preprocess) {
  let runs = 0;
  const run = async (input: Float32Array | Uint8Array, p: Preprocess) => {
    runs++;
    const data = new Float32Array(84 * 8);
    const plane = 64 * 64;
    const red = truth.channels === p.channels ? 0 : 2;
    const hits: number[] = [];
    for (let i = 0; i < plane; i++) if (input[red * plane + i]! > 0.9 && input[(2 - red) * plane + i]! < 0.1) hits.push(i);
    if (Math.max(...input) > 2) data.set([20, 20, 10, 10, 1, 0.9, 0, 0]);
    else if (hits.length > 0 && p.channels === truth.channels) {
      const [xs, ys] = [hits.map((i) => i % 64), hits.map((i) => Math.floor(i / 64))];
      const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs) + 1, Math.min(...ys), Math.max(...ys) + 1];
      data.set([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, 1, 0.05, 0.95 - 0.1 * Math.abs(p.std[0] / 255 - 1), 0]);
    }
    return { [spec.outputs[0]!]: { dims: [1, 84, 8], data } };
  };
  return { run, runs: () => runs };
}

describe('probePreprocess', () => {
  const images = [redSquare(4, 30), redSquare(40, 8)];
  const right = preset('rgb-0-1-letterbox-corner');

  it('leaves a preprocessing alone under which detections repeat', async () => {
    const finder = redFinder(right);
    const result = await probePreprocess(finder.run, { ...spec, preprocess: right }, images);
    expect(result).toMatchObject({ best: null, note: null, proposals: [], assumed: { confident: 2 } });
    expect(result.assumed.maxScore).toBeCloseTo(0.95, 5);
    expect(finder.runs()).toBe(5); // one to measure ranges, two an image
  });

  it('proposes what works when no score exceeds 0.1', async () => {
    const assumed = preset('bgr-0-1-letterbox-corner');
    const { best, note, assumed: score, proposals } = await probePreprocess(redFinder(right).run, { ...spec, preprocess: assumed }, images);
    expect(score.maxScore).toBe(0);
    expect(best).toEqual(right);
    expect(proposals[0]!.quality).toBeGreaterThan(0.5);
    expect(note).toBe(
      'No detection scores above 0.1 with the assumed preprocessing (BGR, 0–1, letterbox, image top-left); the best has 0.00. "RGB, 0–1, letterbox, image top-left" finds 2 objects in 2 images (best score 0.95).',
    );
  });

  it('isn’t taken in by confident detections that stay where they are when the image is mirrored', async () => {
    const { best, note, assumed } = await probePreprocess(
      redFinder(right).run,
      { ...spec, preprocess: preset('bgr-0-255-letterbox-corner') },
      images,
    );
    expect(assumed).toMatchObject({ quality: 0, confident: 2 });
    expect(best).toEqual(right);
    expect(note).toMatch(
      /^With the assumed preprocessing \(BGR, 0–255, letterbox, image top-left\) detections don't repeat when the image is mirrored\. "RGB, 0–1/,
    );
  });

  it('says so when nothing helps', async () => {
    const run = async () => ({ [spec.outputs[0]!]: { dims: [1, 84, 8], data: new Float32Array(84 * 8) } });
    const { best, note } = await probePreprocess(run, spec, images);
    expect(best).toBeNull();
    expect(note).toMatch(/nor does any other preset help: do the images show what the network detects\?$/);
  });

  it('corrects the spec by the measured range', async () => {
    const run = async () => ({ [spec.outputs[0]!]: { dims: [1, 84, 8], data: new Float32Array(84 * 8).fill(-5) } });
    expect((await probePreprocess(run, spec, images)).spec.sigmoidApplied).toBe(false);
  });
});

const DATA = process.env.BONSAI_DATA ?? '../shared/data';
const CALIBRATION = join(DATA, 'coco-calib', 'images');

/** The reference model turned into one that wants RGB with ImageNet's mean and std. */
function legacy(model: Model): Model {
  const [input] = model.graph.inputs;
  const constants = [
    tensor('std', 'float32', [1, 3, 1, 1], Float32Array.of(58.395, 57.12, 57.375)),
    tensor('mean', 'float32', [1, 3, 1, 1], Float32Array.of(123.675, 116.28, 103.53)),
    tensor('bgr', 'int64', [3], BigInt64Array.of(2n, 1n, 0n)),
  ];
  const nodes = [
    node('Mul', ['rgb', 'std'], ['a']),
    node('Add', ['a', 'mean'], ['b']),
    node('Gather', ['b', 'bgr'], [input!.name], { axis: 1 }),
  ];
  return withGraph(model, {
    inputs: [{ ...input!, name: 'rgb' }],
    nodes: [...nodes, ...model.graph.nodes],
    initializers: new Map([...model.graph.initializers, ...constants.map((t) => [t.name, t] as const)]),
  });
}

async function calibrationImages(count: number): Promise<RgbImage[]> {
  (globalThis as { ImageData?: unknown }).ImageData ??= class {
    constructor(
      readonly data: Uint8ClampedArray,
      readonly width: number,
      readonly height: number,
    ) {}
  };
  await init(await WebAssembly.compile(readFileSync('node_modules/@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm')));
  const names = readdirSync(CALIBRATION).sort().slice(0, count);
  return Promise.all(
    names.map(async (name) => {
      const file = readFileSync(join(CALIBRATION, name));
      const { width, height, data } = await decode(file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer);
      return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => data[Math.floor(i / 3) * 4 + (i % 3)]!) };
    }),
  );
}

describe.skipIf(!existsSync(CALIBRATION))('Q24 on the real YOLOX-Nano', () => {
  async function probe(model: Model, assumed: string) {
    const base = matchFamily(model)!;
    const real: DetectorSpec = { ...base, preprocess: applyPreset(base.preprocess, PRESETS.find((p) => p.id === assumed)!) };
    const engine = await createNodeEngine({ threads: 1 });
    try {
      const session = await engine.create(serializeModel(model));
      const run = (data: Float32Array | Uint8Array, p: Preprocess) =>
        session.run({ [real.input]: { dtype: p.dtype, dims: inputDims(p), data } });
      return await probePreprocess(run, real, await calibrationImages(4));
    } finally {
      await engine.dispose();
    }
  }
  const reference = () => parseModel(new Uint8Array(readFileSync(join(DATA, 'models', 'yolox_nano.onnx'))));

  it('proposes RGB with mean and std for the legacy model, whose wrong detections score 0.55', async () => {
    const { best, assumed } = await probe(legacy(reference()), 'bgr-0-255-letterbox-corner');
    expect(assumed.maxScore).toBeGreaterThan(0.5);
    expect(describePreprocess(best!)).toBe('RGB, ImageNet mean/std, letterbox, image top-left');
  });

  it('proposes BGR 0–255 for the reference model, and leaves it there', async () => {
    const { best, assumed } = await probe(reference(), 'rgb-imagenet-letterbox-corner');
    expect(assumed.maxScore).toBeLessThan(0.1);
    expect(describePreprocess(best!)).toBe('BGR, 0–255, letterbox, image top-left');
    expect((await probe(reference(), 'bgr-0-255-letterbox-corner')).best).toBeNull();
  });
});
