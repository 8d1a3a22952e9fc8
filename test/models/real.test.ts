import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describePreprocess, headNodes, matchFamily } from '../../src/models';
import { parseModel } from '../../src/onnx';

const MODELS = join(process.env.BONSAI_DATA ?? '../shared/data', 'models');
const open = (name: string) => parseModel(new Uint8Array(readFileSync(join(MODELS, name))));

describe.skipIf(!existsSync(MODELS))('the real models', () => {
  it.each([
    ['yolox_nano.onnx', 'yolox', 'raw', 80, true, 3],
    ['yolox_nano_unsimplified.onnx', 'yolox', 'raw', 80, true, 3],
    ['yolox_nano_3cls.onnx', 'yolox', 'raw', 3, true, 3],
    ['yolox_tiny_pruned_4cls_512.onnx', 'yolox', 'levels', 4, false, 3],
    ['opencvzoo_nanodet_2022nov.onnx', 'nanodet', 'pairs', 80, true, 0],
    ['opencvzoo_nanodet_2022nov_int8.onnx', 'nanodet', 'pairs', 80, true, 0],
    ['ultraface_rfb_320.onnx', 'ultraface', 'decoded', 1, true, 0],
  ] as const)('%s is %s (%s)', (name, family, variant, numClasses, sigmoidApplied, cuts) => {
    const spec = matchFamily(open(name))!;
    expect(spec).toMatchObject({ family, variant, numClasses, sigmoidApplied });
    expect(spec.endNodes.length).toBe(cuts);
    expect(spec.classNames.length).toBe(numClasses);
  });

  it('D03: the reference is cut where the Model Zoo cuts its twin', () => {
    expect(matchFamily(open('yolox_nano.onnx'))!.endNodes).toEqual([
      { stride: 8, reg: 'Conv_327', obj: 'Sigmoid_329', cls: 'Sigmoid_330' },
      { stride: 16, reg: 'Conv_360', obj: 'Sigmoid_362', cls: 'Sigmoid_363' },
      { stride: 32, reg: 'Conv_393', obj: 'Sigmoid_395', cls: 'Sigmoid_396' },
    ]);
  });

  it('D01: preprocessing in 0–255 units, nothing to normalise for the reference', () => {
    expect(describePreprocess(matchFamily(open('yolox_nano.onnx'))!.preprocess)).toBe('BGR, 0–255, letterbox, image top-left');
    expect(describePreprocess(matchFamily(open('ultraface_rfb_320.onnx'))!.preprocess)).toBe('RGB, (x − 127) / 128, stretched');
    expect(describePreprocess(matchFamily(open('opencvzoo_nanodet_2022nov.onnx'))!.preprocess)).toBe(
      'BGR, ImageNet mean/std, letterbox, image centred',
    );
  });

  it.each([
    ['yunet_n_dynamic.onnx', 12],
    ['blazeface_back_256.onnx', 4],
    ['ppocrv4_det.onnx', 1],
    ['mnist_opset7.onnx', 1],
  ])('%s is generic, with %i last convolutions', (name, heads) => {
    expect(matchFamily(open(name))).toBeNull();
    expect(headNodes(open(name)).length).toBe(heads);
  });
});
