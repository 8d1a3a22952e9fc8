import { describe, expect, it } from 'vitest';
import {
  type DecodeInput,
  type DetectorSpec,
  detect,
  FAMILIES,
  type Family,
  headNodes,
  matchFamily,
  place,
  refineSpec,
} from '../../src/models';
import { HeadBuilder, nanodetModel, quantized, yolov5Model, yolov8Model, yoloxModel } from './fixtures';

const STRIDES = [8, 16, 32];
/** Zero-filled outputs of a spec's sizes. */
const zeros = (
  spec: DetectorSpec,
  shapes: readonly (readonly number[])[],
): Record<string, { dims: readonly number[]; data: Float32Array }> =>
  Object.fromEntries(
    spec.outputs.map((name, i) => [name, { dims: shapes[i]!, data: new Float32Array(shapes[i]!.reduce((a, b) => a * b, 1)) }]),
  );
const decode = (spec: DetectorSpec, outputs: DecodeInput, threshold = 0.1) => {
  const { boxes, scores, classes } = (FAMILIES[spec.family] as Family).decode(spec, outputs, threshold);
  return [...scores].map((score, i) => ({ box: [...boxes.slice(i * 4, i * 4 + 4)], score, classIndex: classes[i] }));
};
const logit = (p: number) => -Math.log(1 / p - 1);

describe('YOLOX', () => {
  it('is recognised in its four forms, for any number of classes', () => {
    for (const classes of [1, 3, 4, 80])
      for (const form of ['raw', 'decoded', 'levels', 'cut'] as const) {
        const spec = matchFamily(yoloxModel({ classes, form }))!;
        expect(spec, `${form}, ${classes}`).toMatchObject({ family: 'yolox', variant: form, numClasses: classes, sigmoidApplied: true });
        expect(spec.levels).toEqual(STRIDES.map((stride) => ({ stride, rows: 64 / stride, cols: 64 / stride })));
      }
  });

  it('is cut at the box convolution and the two sigmoids of each level; the nine last convolutions are protected', () => {
    const spec = matchFamily(yoloxModel({ classes: 4, form: 'raw' }))!;
    expect(spec.endNodes.map(({ stride, reg }) => [stride, reg])).toEqual(STRIDES.map((stride) => [stride, `node_reg${stride}`]));
    const model = yoloxModel({ classes: 4, form: 'raw' });
    const op = new Map(model.graph.nodes.map((n) => [n.name, n]));
    for (const { stride, obj, cls } of spec.endNodes) {
      expect([op.get(obj!)!.op, op.get(cls)!.op]).toEqual(['Sigmoid', 'Sigmoid']);
      expect([op.get(obj!)!.inputs[0], op.get(cls)!.inputs[0]]).toEqual([`obj${stride}`, `cls${stride}`]);
    }
    expect([...spec.protectedNodes].sort()).toEqual(STRIDES.flatMap((s) => [`node_cls${s}`, `node_obj${s}`, `node_reg${s}`]).sort());
  });

  it('names its convolutions as cut points where the graph leaves logits', () => {
    const spec = matchFamily(yoloxModel({ classes: 4, form: 'levels', sigmoid: false }))!;
    expect(spec.sigmoidApplied).toBe(false);
    expect(spec.endNodes[0]).toEqual({ stride: 8, reg: 'node_reg8', obj: 'node_obj8', cls: 'node_cls8' });
  });

  it('tells the branches apart by the graph when their channels are equal and the outputs come backwards', () => {
    const four = matchFamily(yoloxModel({ classes: 4, form: 'cut', sigmoid: false, shuffled: true }))!;
    expect(four.outputs).toEqual(STRIDES.flatMap((s) => [`reg${s}`, `obj${s}`, `cls${s}`]));
    const one = matchFamily(yoloxModel({ classes: 1, form: 'cut', sigmoid: false, shuffled: true }))!;
    expect(one.outputs).toEqual(four.outputs);
  });

  it('decodes xy = (raw + cell) · stride, wh = exp(raw) · stride, score = objectness · class', () => {
    const spec = matchFamily(yoloxModel({ classes: 3, form: 'raw' }))!;
    const outputs = zeros(spec, [[1, 84, 8]]);
    // Level 16 starts at row 64; its cell (x 2, y 1) of 4 × 4 is row 64 + 6.
    outputs[spec.outputs[0]!]!.data.set([0.5, 0.25, Math.log(2), Math.log(3), 0.8, 0.1, 0.9, 0.5], (64 + 6) * 8);
    const found = decode(spec, outputs);
    expect(found.map((d) => d.classIndex)).toEqual([1, 2]); // 0.8 · 0.1 is below the threshold
    expect(found[0]!.score).toBeCloseTo(0.72, 6);
    [24, -4, 32, 48].forEach((v, i) => {
      expect(found[0]!.box[i]).toBeCloseTo(v, 4);
    }); // centre (40, 20)
  });

  it('gives the same boxes for levels, cut and decoded forms, from logits too', () => {
    const raw = [0.5, 0.25, Math.log(2), Math.log(3)];
    const wanted = [24, -4, 32, 48];
    const levels = matchFamily(yoloxModel({ classes: 2, form: 'levels', sigmoid: false }))!;
    const maps = zeros(
      levels,
      STRIDES.map((s) => [1, 7, 64 / s, 64 / s]),
    );
    for (const { data } of Object.values(maps)) data.fill(-20);
    [...raw, logit(0.8), logit(0.1), logit(0.9)].forEach((v, c) => {
      maps[levels.outputs[1]!]!.data[c * 16 + 6] = v;
    });
    const cut = matchFamily(yoloxModel({ classes: 2, form: 'cut' }))!;
    const parts = zeros(
      cut,
      STRIDES.flatMap((s) => [4, 1, 2].map((c) => [1, c, 64 / s, 64 / s])),
    );
    raw.forEach((v, c) => {
      parts[cut.outputs[3]!]!.data[c * 16 + 6] = v;
    });
    parts[cut.outputs[4]!]!.data[6] = 0.8;
    parts[cut.outputs[5]!]!.data[16 + 6] = 0.9;
    const decoded = matchFamily(yoloxModel({ classes: 2, form: 'decoded' }))!;
    const pixels = zeros(decoded, [[1, 84, 7]]);
    pixels[decoded.outputs[0]!]!.data.set([40, 20, 32, 48, 0.8, 0.1, 0.9], 70 * 7);
    for (const [spec, outputs] of [
      [levels, maps],
      [cut, parts],
      [decoded, pixels],
    ] as const) {
      const found = decode(spec, outputs);
      expect(found.length, spec.variant).toBe(1);
      expect(found[0]).toMatchObject({ classIndex: 1 });
      expect(found[0]!.score).toBeCloseTo(0.72, 5);
      wanted.forEach((v, i) => {
        expect(found[0]!.box[i], spec.variant).toBeCloseTo(v, 4);
      });
    }
  });

  it('corrects logits and decoding by the measured range', () => {
    const spec = matchFamily(yoloxModel({ classes: 3, form: 'raw' }))!;
    const outputs = zeros(spec, [[1, 84, 8]]);
    const { data } = outputs[spec.outputs[0]!]!;
    for (let i = 0; i < 84; i++) data.set([i % 64, 30, 12, 50, -4, -3, -2, 1], i * 8);
    expect(refineSpec(spec, outputs)).toMatchObject({ variant: 'decoded', sigmoidApplied: false });
    for (let i = 0; i < 84; i++) data.set([0.1, 0.4, -0.5, 1.5, 0.01, 0.2, 0.3, 0.9], i * 8);
    expect(refineSpec({ ...spec, variant: 'decoded', sigmoidApplied: false }, outputs)).toMatchObject({
      variant: 'raw',
      sigmoidApplied: true,
    });
  });

  it('names the output that is missing or of another size', () => {
    const spec = matchFamily(yoloxModel({ classes: 3, form: 'raw' }))!;
    expect(() => decode(spec, {})).toThrow(`The network gave no output "${spec.outputs[0]}".`);
    const wrong = { [spec.outputs[0]!]: { dims: [2, 84, 8], data: new Float32Array(2 * 84 * 8) } };
    expect(() => decode(spec, wrong)).toThrow(`Output "${spec.outputs[0]}" has 1344 values (2×84×8), 672 were expected.`);
  });

  it('stays finite when a collapsed network gives huge sizes', () => {
    const spec = matchFamily(yoloxModel({ classes: 3, form: 'raw' }))!;
    const outputs = zeros(spec, [[1, 84, 8]]);
    outputs[spec.outputs[0]!]!.data.set([0, 0, 900, 900, 1, 1, 0, 0], 0);
    const placement = place(100, 50, spec.preprocess).placement;
    const [d] = detect(spec, outputs, placement, { scoreThreshold: 0.1, iouThreshold: 0.5, nms: 'per-class', maxDetections: 10 });
    expect(d).toMatchObject({ x: 0, y: 0, width: 100, height: 50, score: 1, classIndex: 0 });
  });
});

describe('YOLOv5/v7', () => {
  it('is recognised by three anchors a cell and decodes pixels or fractions', () => {
    const spec = matchFamily(yolov5Model(3))!;
    expect(spec).toMatchObject({
      family: 'yolov5',
      numClasses: 3,
      preprocess: { channels: 'rgb', resize: 'letterbox-center', std: [255, 255, 255] },
    });
    expect(spec.protectedNodes.length).toBe(3);
    const outputs = zeros(spec, [[1, 252, 8]]);
    const { data } = outputs[spec.outputs[0]!]!;
    data.set([40, 20, 32, 48, 0.8, 0.1, 0.9, 0.2], 100 * 8);
    expect(decode(spec, outputs)).toMatchObject([{ box: [24, -4, 32, 48], classIndex: 1 }, { classIndex: 2 }]);
    expect(refineSpec(spec, outputs).variant).toBe('decoded');
    data.set([40 / 64, 20 / 64, 0.5, 0.75], 100 * 8);
    const fractions = refineSpec(spec, outputs);
    expect(fractions.variant).toBe('normalized');
    expect(decode(fractions, outputs)[0]!.box).toEqual([24, -4, 32, 48]);
  });
});

describe('YOLOv8/11', () => {
  it('is recognised as columns or rows and cut before its sigmoids', () => {
    for (const rows of [false, true]) {
      const spec = matchFamily(yolov8Model(3, 64, rows))!;
      expect(spec).toMatchObject({ family: 'yolov8', variant: rows ? 'rows' : 'columns', numClasses: 3, sigmoidApplied: true });
      expect(spec.endNodes).toEqual(STRIDES.map((stride) => ({ stride, reg: `node_box${stride}`, obj: null, cls: `node_cls${stride}` })));
      const outputs = zeros(spec, [[1, 7, 84]]);
      const { data } = outputs[spec.outputs[0]!]!;
      [40, 20, 32, 48, 0.05, 0.72, 0.3].forEach((v, c) => {
        data[rows ? 70 * 7 + c : c * 84 + 70] = v;
      });
      const found = decode(spec, outputs);
      expect(found).toMatchObject([{ box: [24, -4, 32, 48], classIndex: 1 }, { classIndex: 2 }]);
      expect(found[0]!.score).toBeCloseTo(0.72, 6);
    }
  });

  it('takes class names from the metadata', () => {
    const spec = matchFamily(yolov8Model(2, 64, false, { names: "{0: 'cat', 1: 'd\\'og'}" }))!;
    expect(spec.classNames).toEqual(['cat', "d'og"]);
  });
});

describe('NanoDet', () => {
  it('is recognised in pairs and decodes the mean of its distances', () => {
    const spec = matchFamily(nanodetModel(5))!;
    expect(spec).toMatchObject({ family: 'nanodet', variant: 'pairs', numClasses: 5, sigmoidApplied: true });
    expect(spec.protectedNodes.length).toBe(3);
    const outputs = zeros(
      spec,
      STRIDES.flatMap((s) => [
        [1, (64 / s) ** 2, 5],
        [1, (64 / s) ** 2, 32],
      ]),
    );
    // Level 16, cell (2, 1) of 4 × 4: middle at (40, 24). Bins: all on 1, all on 2, spread evenly (mean 3.5), half 0 half 1.
    outputs[spec.outputs[2]!]!.data[6 * 5 + 3] = 0.6;
    const bins = outputs[spec.outputs[3]!]!.data.subarray(6 * 32, 7 * 32);
    bins[1] = 50;
    bins[8 + 2] = 50;
    bins[24] = bins[25] = 50;
    const [d] = decode(spec, outputs);
    expect(d).toMatchObject({ classIndex: 3 });
    [40 - 16, 24 - 32, 16 + 56, 32 + 8].forEach((v, i) => {
      expect(d!.box[i]).toBeCloseTo(v, 4);
    });
  });
});

describe('a generic network', () => {
  it('is no family, and its last convolutions are its head', () => {
    const b = new HeadBuilder(64);
    const out = b.op('Sigmoid', [b.conv(b.conv('images', 3, 8, 8, 8), 8, 2, 1, 1, 'last')]);
    const model = b.model([[out, [1, 2, 8, 8]]]);
    expect(matchFamily(model)).toBeNull();
    expect(headNodes(model)).toEqual(['node_last']);
  });

  it('is what a classifier with a detector-like output is', () => {
    const b = new HeadBuilder(64);
    const out = b.reshape(b.conv('images', 3, 85, 64, 64), [1, 1, 85]);
    expect(matchFamily(b.model([[out, [1, 1, 85]]]))).toBeNull();
  });
});

describe('a quantized network', () => {
  it('is recognised through QuantizeLinear and DequantizeLinear, with the same cut points', () => {
    for (const model of [
      yoloxModel({ classes: 4, form: 'raw' }),
      yoloxModel({ classes: 1, form: 'cut', sigmoid: false }),
      yolov8Model(64),
      nanodetModel(5),
    ]) {
      const float = matchFamily(model)!;
      expect(matchFamily(quantized(model))).toEqual(float);
    }
  });
});
