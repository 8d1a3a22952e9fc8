import { unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { preprocess } from '../../../src/models';
import { serializeModel } from '../../../src/onnx';
import { exportBundle, zipBundle, zipPieces } from '../../../src/steps/export';
import { markdownText, networkName, plainName } from '../../../src/steps/export/names';
import { hostPreprocess } from '../../../src/steps/export/npy';
import type { DetectionMetrics, QuantArtifact } from '../../../src/steps/types';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { artifact, bundleOf, context, image, imageSet, textOf } from './bundle';

const NPY = 128;
const commands = (script: string) => script.split('\n').filter((line) => line && !line.startsWith('#'));

describe('the model script (case D01)', () => {
  it('neither normalises nor swaps for BGR 0–255 from a BGR host', async () => {
    const script = textOf(await bundleOf(), 'model.alls');
    expect(script).not.toMatch(/normalization\(|input_conversion/);
  });

  it('normalises in 0–255 units and swaps for an RGB mean/std network, the swap nearest to the input', async () => {
    const float = artifact(tinyYolox(), 'cann.onnx', { channels: 'rgb', mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] });
    const files = await bundleOf(float);
    expect(commands(textOf(files, 'model.alls')).slice(0, 2)).toEqual([
      'normalization1 = normalization([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])',
      'input_conversion1 = input_conversion(bgr_to_rgb)',
    ]);
    // The calibration set is what the host sends, not what the network computes on.
    expect(files.get('calib_set.npy')).toEqual((await bundleOf()).get('calib_set.npy'));
    const rgbHost = textOf(await bundleOf(float, { hostOrder: 'rgb' }), 'model.alls');
    expect(rgbHost).toContain('normalization1');
    expect(rgbHost).not.toContain('input_conversion');
  });

  it('swaps for a BGR network behind an RGB host', async () => {
    expect(commands(textOf(await bundleOf(undefined, { hostOrder: 'rgb' }), 'model.alls'))[0]).toBe(
      'input_conversion1 = input_conversion(bgr_to_rgb)',
    );
  });

  it('asks for level 2 only with 1,024 images', async () => {
    const few = textOf(await bundleOf(), 'model.alls');
    expect(few).toContain('optimization_level=1, compression_level=0)');
    expect(few).toContain('batch_size=6, calibset_size=6)');
    const many = textOf(await bundleOf(undefined, {}, { calibration: imageSet(1030) }), 'model.alls');
    expect(many).toContain('optimization_level=2, compression_level=0)');
    expect(many).toContain('batch_size=8, calibset_size=1024)');
  });

  it('spends 16 bits on depthwise networks, or when told to', async () => {
    const preset = async (depthwise: boolean, scriptPreset: string) => {
      const script = textOf(await bundleOf(artifact(tinyYolox({ depthwise })), { scriptPreset }), 'model.alls');
      return script.includes('precision_mode=a16_w16');
    };
    expect([
      await preset(true, 'auto'),
      await preset(false, 'auto'),
      await preset(true, 'plain'),
      await preset(false, 'depthwise'),
    ]).toEqual([true, false, false, true]);
  });

  it('puts the sigmoid of YOLOv8 classes into the script and names no objectness', async () => {
    const base = artifact(tinyYolox({ logits: true }));
    const endNodes = base.spec!.endNodes.map((end) => ({ ...end, obj: null }));
    const files = await bundleOf({ ...base, spec: { ...base.spec!, family: 'yolov8', endNodes } });
    expect(commands(textOf(files, 'model.alls')).slice(-4)).toEqual([
      'change_output_activation({{/head/cls_preds.2/Conv}}, sigmoid)',
      'change_output_activation({{/head/cls_preds.1/Conv}}, sigmoid)',
      'change_output_activation({{/head/cls_preds.0/Conv}}, sigmoid)',
      'nms_postprocess("NMS_CONFIG", meta_arch=yolov8, engine=cpu)',
    ]);
    const nms = JSON.parse(textOf(files, 'nms_config.json'));
    expect(nms.regression_length).toBe(16);
    expect(nms.bbox_decoders[0]).toEqual({
      name: 'bbox_decoder_8',
      stride: 8,
      reg_layer: '{{/head/reg_preds.0/Conv}}',
      cls_layer: '{{/head/cls_preds.0/Conv}}',
    });
  });

  it('says what must be filled in where no decoder is known', async () => {
    const files = await bundleOf({ ...artifact(tinyYolox()), spec: null });
    expect(files.has('nms_config.json')).toBe(false);
    expect(textOf(files, 'model.alls')).not.toContain('nms_postprocess');
    expect(textOf(files, 'README.md')).toContain("The HEF's outputs are /head/Transpose, in this order.");
  });
});

describe('the NMS configuration', () => {
  it('has the documented keys with placeholders, finest level first', async () => {
    const nms = JSON.parse(textOf(await bundleOf(undefined, { scoreThreshold: 0.01 }), 'nms_config.json'));
    expect(nms).toMatchObject({ nms_scores_th: 0.01, nms_iou_th: 0.65, image_dims: [64, 64], classes: 3, number_of_detection_heads: 3 });
    expect(nms.bbox_decoders[2]).toEqual({
      name: 'bbox_decoder_32',
      stride: 32,
      reg_layer: '{{/head/reg_preds.2/Conv}}',
      objectness_layer: '{{/head/obj_preds.2/Sigmoid}}',
      cls_layer: '{{/head/cls_preds.2/Sigmoid}}',
    });
  });
});

describe('calib_set.npy', () => {
  it('holds the letterboxed images in the host’s order, once each, and leaves broken ones out', async () => {
    const float = artifact(tinyYolox());
    const ctx = context();
    const calibration = imageSet(5, [2]);
    const input = { float, quant: null, calibration, rows: [], recipe: {}, device: 'hailo8' };
    const { files } = await exportBundle(input, { hostOrder: 'rgb' }, ctx);
    const npy = files.get('calib_set.npy')!;
    const header = new TextDecoder('latin1').decode(npy.subarray(10, NPY));
    expect(header.trim()).toBe("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 64, 64, 3), }");
    const size = 64 * 64 * 3;
    expect(npy).toHaveLength(NPY + 4 * size);
    const host = hostPreprocess(float.spec!.preprocess, 'rgb');
    const expected = [0, 1, 3, 4].map((i) => preprocess(image(i), host).input.join());
    const stored = [0, 1, 2, 3].map((i) => npy.subarray(NPY + i * size, NPY + (i + 1) * size).join());
    expect([...stored].sort()).toEqual([...expected].sort());
    // The first pixel of an image as it was, the border grey.
    expect(expected[0]!.split(',').slice(0, 3).map(Number)).toEqual(Array.from(preprocess(image(0), host).input.subarray(0, 3)));
    expect(npy[npy.length - 1]).toBe(114);
    expect(textOf(files, 'README.md')).toContain('1 images could not be decoded and were left out.');
    expect(textOf(files, 'README.md')).toContain('**Only 4 calibration images.**');
  });

  it('takes no more than asked, differently by seed, equally by equal seed', async () => {
    const take = async (seed: number) => {
      const input = { float: artifact(tinyYolox()), quant: null, calibration: imageSet(40), rows: [], recipe: {}, device: 'hailo8' };
      return (await exportBundle(input, { calibrationImages: 3 }, context({ seed }))).files.get('calib_set.npy')!;
    };
    const first = await take(1);
    expect(first).toHaveLength(NPY + 3 * 64 * 64 * 3);
    expect(await take(1)).toEqual(first);
    expect(await take(2)).not.toEqual(first);
  });

  it('refuses a set of which nothing can be read', async () => {
    await expect(bundleOf(undefined, {}, { calibration: imageSet(2, [0, 1]) })).rejects.toThrow('The bundle has no calibration image.');
  });

  it('stops when cancelled', async () => {
    const cancel = {
      aborted: true,
      throwIfAborted: () => {
        throw new Error('stop');
      },
    };
    const input = { float: artifact(tinyYolox()), quant: null, calibration: imageSet(3), rows: [], recipe: {}, device: 'hailo8' };
    await expect(exportBundle(input, {}, context({ cancel }))).rejects.toThrow('stop');
  });
});

const metrics: DetectionMetrics = {
  ...{
    kind: 'coco',
    interval: null,
    paired: null,
    mAP: 31.987,
    AP50: 50.618,
    AP75: null,
    APs: null,
    APm: null,
    APl: null,
    images: 79,
    classHistogram: {},
    perClass: [],
  },
  ...{ sqnr: null, scoreThreshold: 0.01, iouThreshold: 0.65, nms: 'per-class', notes: [] },
};

describe('the bundle', () => {
  it('carries the quantized network as it was evaluated, byte for byte, and the recipe', async () => {
    const model = tinyYolox({ seed: 9 });
    const quant: QuantArtifact = {
      kind: 'quant',
      hash: 'q',
      floatHash: 'f00d',
      name: 'q',
      model,
      spec: null,
      plan: [],
      notes: ['One <note>.'],
    };
    const files = await bundleOf(undefined, {}, { quant, recipe: { bonsai: 1, name: 'r' } });
    expect(files.get('model.qdq.onnx')).toEqual(serializeModel(model));
    expect(JSON.parse(textOf(files, 'recipe.json'))).toEqual({ bonsai: 1, name: 'r' });
    expect(textOf(files, 'README.md')).toContain('- One &lt;note&gt;.');
    expect([...files.keys()].sort()).toEqual(
      ['README.md', 'bundle.json', 'calib_set.npy', 'compile.py', 'compile.sh', 'model.alls', 'model.onnx', 'model.qdq.onnx'].concat([
        'nms_config.json',
        'recipe.json',
      ]),
    );
  });

  it('shows the measured table and escapes what comes from files', async () => {
    const rows = [{ model: 'a|b <img src=x>', environment: 'FP32', parameters: 904481, weightBytes: 3617924, macs: 5.4e8, metrics }];
    const float = artifact(tinyYolox(), '<script>alert(1)</script>.onnx');
    const files = await bundleOf(float, {}, { rows });
    const text = textOf(files, 'README.md');
    expect(text).toContain('| a\\|b &lt;img src=x&gt; | FP32 | 904,481 | 3.62 | 540.0 | 31.99 | 50.62 |');
    expect(text).toContain('79 images, score ≥ 0.01, NMS per-class at IoU 0.65');
    expect(text).not.toMatch(/<script|<img/);
    expect(JSON.parse(textOf(files, 'bundle.json')).net_name).toBe('script');
  });

  it('has the same hash for the same input and another for other options', async () => {
    const hash = async (hostOrder: string) => {
      const input = { float: artifact(tinyYolox()), quant: null, calibration: imageSet(2), rows: [], recipe: {}, device: 'hailo8' };
      return (await exportBundle(input, { hostOrder }, context())).hash;
    };
    expect(await hash('bgr')).toBe(await hash('bgr'));
    expect(await hash('rgb')).not.toBe(await hash('bgr'));
  });

  it('warns of what the compiler is expected to refuse', async () => {
    const model = tinyYolox();
    const nodes = model.graph.nodes.map((n) => (n.op === 'Add' ? { ...n, op: 'Max' } : n));
    const files = await bundleOf(artifact({ ...model, graph: { ...model.graph, nodes } }));
    const text = textOf(files, 'README.md');
    expect(text).toContain('**The compiler is expected to refuse 4 nodes.**');
    expect(text).toContain('| Max | /backbone/dark2/csp/m/Add, /backbone/dark3/csp/m/Add, /neck/p4/m/Add, /neck/p3/m/Add | unsupported |');
  });

  it('refuses an unknown device', async () => {
    await expect(bundleOf(undefined, {}, { device: 'hailo9' })).rejects.toThrow('There is no device "hailo9".');
  });
});

describe('names', () => {
  it.each([
    ['YOLOX Nano (1).onnx', 'yolox_nano_1'],
    ['C:\\models\\..\\x.onnx', 'x'],
    ['../../etc/passwd', 'passwd'],
    ['8bit.onnx', 'net_8bit'],
    ['モデル.onnx', 'net_model'],
    ['$(touch pwned).onnx', 'touch_pwned'],
  ])('network name of %s', (file, name) => expect(networkName(file)).toBe(name));

  it('makes values plain and never empty', () => {
    expect([plainName('images'), plainName('a b"'), plainName(''), plainName('x'.repeat(200)).length]).toEqual([
      'images',
      'a_b_',
      'value',
      120,
    ]);
  });

  it('leaves no markup in Markdown', () => {
    expect(markdownText('[x](http://e) `a`\n# <b>&')).toBe('\\[x\\]\\(http:&#47;&#47;e\\) \\`a\\` \\# &lt;b&gt;&amp;');
  });
});

describe('zipBundle', () => {
  it('stores networks and images, compresses text, and is read by another unzip', async () => {
    const files = await bundleOf();
    const zip = zipBundle(files);
    const out = unzipSync(zip);
    expect(Object.keys(out)).toEqual([...files.keys()]);
    for (const [name, bytes] of files) expect(out[name]).toEqual(bytes);
    expect(zipBundle(files)).toEqual(zip);
    // The image set is handed on as it is, without a copy.
    expect(zipPieces(files).some((piece) => piece === files.get('calib_set.npy'))).toBe(true);
    const text = new Map([['a.txt', new Uint8Array(10_000)]]);
    expect(zipBundle(text).length).toBeLessThan(500);
  });

  it.each(['/etc/passwd', '../x', 'a/../b', 'a//b', './a', 'a\\b', 'x\n', ''])('refuses the path %j', (path) => {
    expect(() => zipBundle(new Map([[path, new Uint8Array()]]))).toThrow('is not a path for a bundle.');
  });
});
