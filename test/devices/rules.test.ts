/** One graph for each reason of the device check. */
import { describe, expect, it } from 'vitest';
import { checkDevice, DEVICES, type Device, deviceReport } from '../../src/devices';
import { cutAt, type Model, node, tensor } from '../../src/onnx';
import { TINY_YOLOX_ENDS, tinyYolox } from '../fixtures/tiny-yolox';
import { bodyConcat, boxesAndScores, conv, graph, ints, siluNet, weight } from './graphs';

const { hailo8, hailo15h, tflite, ort } = DEVICES;
const layer = (model: Model, device: Device, name: string) => deviceReport(model, device).layers.find((l) => l.node === name)!;

describe('deviceReport', () => {
  it('lists every node with a reason, a mark and a source, and counts them', () => {
    const model = tinyYolox();
    for (const device of Object.values(DEVICES)) {
      const { layers, counts } = deviceReport(model, device);
      expect(layers.map((l) => l.node)).toEqual(model.graph.nodes.map((n) => n.name));
      for (const l of layers) expect(`${l.reason}|${l.source}`, l.node).toMatch(/^[A-Z].*\.\|.+/);
      expect(Object.values(counts).reduce((a, b) => a + b)).toBe(layers.length);
    }
  });

  it('counts what stands behind the cut as the host’s', () => {
    const { counts } = deviceReport(tinyYolox(), hailo8, { cutAt: TINY_YOLOX_ENDS });
    expect(counts['falls back']).toBe(8);
    expect(counts.unsupported).toBe(0);
  });
});

describe('SiLU', () => {
  it('is one layer with its convolution on Hailo, three pieces in TFLite, float in ONNX Runtime', () => {
    expect(layer(siluNet(), hailo8, 'mul')).toMatchObject({ layer: 'c', state: 'runs differently' });
    expect(layer(siluNet(), hailo8, 'sigmoid')).toMatchObject({ layer: 'c', reason: 'It is part of the layer "c".' });
    expect(layer(siluNet(), tflite, 'mul')).toMatchObject({ layer: 'mul', state: 'runs differently' });
    expect(layer(siluNet(), tflite, 'mul').reason).toContain('one by one');
    expect(layer(siluNet(), ort, 'mul').reason).toContain('no quantized SiLU');
  });
});

describe('activations that fuse', () => {
  const after = (op: string, inputs: readonly string[] = ['c']) => {
    const c = conv('x', 'c');
    const bounds = [tensor('lo', 'float32', [], Float32Array.of(0)), tensor('hi', 'float32', [], Float32Array.of(6))];
    return graph({ nodes: [c.node, node(op, inputs, ['y'], {}, 'act')], outputs: ['y'], initializers: [c.weight, ...bounds] });
  };
  it('TFLite takes ReLU and ReLU6 into the convolution, nothing else', () => {
    expect(layer(after('Relu'), tflite, 'act').layer).toBe('c');
    expect(layer(after('Clip', ['c', 'lo', 'hi']), tflite, 'act').layer).toBe('c');
    // Without its lower bound a Clip at 6 is no ReLU6.
    expect(layer(after('Clip', ['c', '', 'hi']), tflite, 'act').layer).toBe('act');
    expect(layer(after('HardSwish'), tflite, 'act').layer).toBe('act');
    expect(layer(after('HardSwish'), hailo8, 'act').layer).toBe('c');
  });

  it('not where the convolution’s own output is read too', () => {
    const c = conv('x', 'c');
    const model = graph({ nodes: [c.node, node('Relu', ['c'], ['y'], {}, 'act')], outputs: ['y', 'c'], initializers: [c.weight] });
    expect(layer(model, tflite, 'act').layer).toBe('act');
  });
});

describe('boxes and scores under one scale', () => {
  it('names the Concat, tells pixels from raw boxes, and offers the branch ends as a cut', () => {
    const decoded = layer(boxesAndScores(true), hailo8, 'join');
    expect(decoded.reason).toContain('boxes in pixels and scores under one scale');
    expect(decoded.cut).toEqual(['reg', 'score']);
    expect(layer(boxesAndScores(false), hailo8, 'join').reason).toContain('raw boxes and scores');
    // TFLite ends at the logits: the fixed scale of a LOGISTIC output costs the small scores.
    expect(layer(boxesAndScores(true), tflite, 'join').cut).toEqual(['reg', 'cls']);
  });

  it('the cut cures it', () => {
    const model = boxesAndScores(true);
    const cut = cutAt(model, layer(model, hailo8, 'join').cut!);
    expect(checkDevice(cut, hailo8)).toEqual([]);
    expect(cut.graph.nodes.map((n) => n.name)).toEqual(['b', 'reg', 'cls', 'sigmoid']);
  });

  it('finds the nine ends of a YOLOX', () => {
    const model = tinyYolox();
    const cut = deviceReport(model, hailo8).findings.find((f) => f.node === '/head/Concat_0')!.cut!;
    const makers = cut.map((value) => model.graph.nodes.find((n) => n.outputs.includes(value))!.name);
    expect([...makers].sort()).toEqual([...TINY_YOLOX_ENDS].sort());
  });

  it('says nothing of a Concat in the body, or where each input keeps its scale', () => {
    expect(layer(bodyConcat(), hailo8, 'join').cut).toBeUndefined();
    expect(layer(bodyConcat(), hailo8, 'join').reason).toBe('All its inputs share the scale of its output.');
    expect(layer(boxesAndScores(true), ort, 'join')).toMatchObject({ state: 'runs' });
  });

  it('takes the ends that the caller knows', () => {
    const report = deviceReport(boxesAndScores(true), hailo8, { ends: ['reg', 'cls'] });
    expect(report.findings.find((f) => f.node === 'join')!.cut).toEqual(['reg', 'cls']);
  });
});

describe('Focus', () => {
  it('is one space_to_depth on Hailo, four slices in TFLite, as written in ONNX Runtime', () => {
    expect(layer(tinyYolox(), hailo8, '/backbone/stem/Slice_0').reason).toContain('space_to_depth');
    expect(layer(tinyYolox(), tflite, '/backbone/stem/Slice_0').reason).toContain('four STRIDED_SLICE');
    expect(layer(tinyYolox(), ort, '/backbone/stem/Slice_0').state).toBe('runs');
  });
});

describe('open and computed sizes', () => {
  const c = conv('x', 'c');
  const open = graph({ nodes: [c.node], outputs: ['c'], initializers: [c.weight], input: ['batch', 8, 'h', 'w'] });
  const computed = graph({
    nodes: [c.node, node('Shape', ['c'], ['n'], {}, 'shape'), node('Reshape', ['c', 'n'], ['y'], {}, 'reshape')],
    outputs: ['y'],
    initializers: [c.weight],
  });

  it('are refused where sizes must be fixed', () => {
    for (const device of [hailo8, hailo15h, tflite]) {
      expect(deviceReport(open, device).layers[0]).toMatchObject({ node: 'x', op: 'input', state: 'unsupported' });
      expect(layer(computed, device, 'reshape')).toMatchObject({ state: 'unsupported' });
      expect(layer(computed, device, 'reshape').reason).toContain('computed at run time');
    }
    expect(deviceReport(open, ort).counts.unsupported + deviceReport(computed, ort).counts.unsupported).toBe(0);
  });
});

describe('decoding inside the graph', () => {
  const nms = () => {
    const [r, s] = [conv('x', 'reg', 4), conv('x', 'cls', 3)];
    return graph({
      nodes: [
        ...[r.node, node('Exp', ['reg'], ['size'], {}, 'exp'), s.node, node('Sigmoid', ['cls'], ['score'], {}, 'sigmoid')],
        node('NonMaxSuppression', ['size', 'score'], ['kept'], {}, 'nms'),
      ],
      outputs: ['kept'],
      initializers: [r.weight, s.weight],
    });
  };

  it('is refused or runs on the host, with the cut that ends it', () => {
    expect(layer(nms(), hailo8, 'exp')).toMatchObject({ state: 'unsupported', cut: ['reg', 'score'] });
    expect(layer(nms(), hailo8, 'nms')).toMatchObject({ state: 'falls back', cut: ['reg', 'score'] });
    expect(layer(nms(), tflite, 'nms')).toMatchObject({ state: 'falls back', cut: ['reg', 'cls'] });
    expect(layer(nms(), ort, 'nms').state).toBe('runs differently');
  });

  it('goes behind the expectation over box distances (DFL)', () => {
    const r = conv('x', 'reg', 16);
    const bins = tensor(
      'bins',
      'float32',
      [1, 16, 1, 1],
      Float32Array.from({ length: 16 }, (_, i) => i),
    );
    const model = graph({
      nodes: [
        r.node,
        node('Softmax', ['reg'], ['p'], { axis: 1 }, 'softmax'),
        node('Conv', ['p', 'bins'], ['d'], { kernel_shape: [1, 1] }, 'dfl'),
        node('Exp', ['d'], ['y'], {}, 'exp'),
      ],
      outputs: ['y'],
      initializers: [r.weight, bins],
    });
    expect(layer(model, tflite, 'exp').cut).toEqual(['reg']);
  });
});

describe('TFLite’s own limits', () => {
  it.each([
    [{ group: 2 }, [8, 4, 1, 1], 'A grouped convolution (2 groups of 4 channels)'],
    [{ dilations: [1, 2] }, [8, 8, 3, 3], 'Dilation 1×2'],
  ])('a convolution with %o falls back', (attributes, dims, reason) => {
    const model = graph({ nodes: [node('Conv', ['x', 'w'], ['y'], attributes, 'c')], outputs: ['y'], initializers: [weight('w', dims)] });
    expect(layer(model, tflite, 'c')).toMatchObject({ state: 'falls back' });
    expect(layer(model, tflite, 'c').reason).toContain(reason);
  });

  it('a depthwise one runs, computed weights fall back, cubic resizing too', () => {
    const depthwise = graph({
      nodes: [node('Conv', ['x', 'w'], ['y'], { group: 8 }, 'c')],
      outputs: ['y'],
      initializers: [weight('w', [8, 1, 3, 3])],
    });
    expect(layer(depthwise, tflite, 'c').state).toBe('runs');
    const computed = graph({
      nodes: [node('Abs', ['x'], ['w'], {}, 'abs'), node('Conv', ['x', 'w'], ['y'], {}, 'c')],
      outputs: ['y'],
    });
    expect(layer(computed, tflite, 'c').reason).toContain('not constant');
    const cubic = graph({
      nodes: [node('Resize', ['x', '', '', 'sizes'], ['y'], { mode: 'cubic' }, 'r')],
      outputs: ['y'],
      initializers: [ints('sizes', [1, 8, 32, 32])],
    });
    expect(layer(cubic, tflite, 'r')).toMatchObject({ state: 'falls back' });
  });
});
