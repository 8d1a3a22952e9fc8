import { beforeAll, describe, expect, it } from 'vitest';
import { parseModel, serializeModel, withGraph } from '../../../src/onnx';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { artifact, bundleOf, run, textOf, unzipped } from './bundle';

let good: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
  good = await bundleOf();
});

type Files = Map<string, Uint8Array | string>;

/** `compile.py --dry-run` on the good bundle after a change. */
function dryRun(change: (files: Files) => void = () => {}) {
  const files: Files = new Map(good);
  change(files);
  return run(unzipped(files), ['--dry-run']);
}

const replaced = (name: string, from: string | RegExp, to: string) => (files: Files) => {
  const text = textOf(good, name);
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${name} has no ${from}`);
  files.set(name, changed);
};

const network = (change: (model: ReturnType<typeof parseModel>) => ReturnType<typeof parseModel>) => (files: Files) =>
  files.set('model.onnx', serializeModel(change(parseModel(good.get('model.onnx')!))));

describe('compile.py --dry-run', () => {
  it('accepts a good bundle and counts the calibration images', () => {
    expect(dryRun()).toEqual({
      code: 0,
      out: 'warning: 6 calibration images; optimization level 2 and up want 1024.\nbundle is consistent\n',
      err: '',
    });
  });

  it.each([
    ['a missing file', (f: Files) => f.delete('nms_config.json'), 'nms_config.json is missing; unzip the whole bundle again.'],
    ['a missing recipe', (f: Files) => f.delete('recipe.json'), 'recipe.json is missing; unzip the whole bundle again.'],
    ['an empty recipe', (f: Files) => f.set('recipe.json', '{}'), 'recipe.json holds no recipe.'],
    ['a missing calibration set', (f: Files) => f.delete('calib_set.npy'), 'calib_set.npy is missing; unzip the whole bundle again.'],
    ['another file in its place', (f: Files) => f.set('calib_set.npy', 'hello there'), 'calib_set.npy is not a .npy file.'],
    [
      'a calibration set that is cut off',
      (f: Files) => f.set('calib_set.npy', good.get('calib_set.npy')!.subarray(0, 5000)),
      'calib_set.npy has 4872 bytes of images where its header says 73728; unzip it again.',
    ],
    [
      'images in NCHW',
      (f: Files) => f.set('calib_set.npy', rewritten('(6, 64, 64, 3)', '(6, 3, 64, 64)')),
      'calib_set.npy is [6, 3, 64, 64]; it must be [N, 64, 64, 3] (NHWC, C order).',
    ],
    [
      'images of another type',
      (f: Files) => f.set('calib_set.npy', rewritten("'|u1'", "'|i1'")),
      'calib_set.npy has dtype |i1; use uint8 or float32.',
    ],
    [
      'a damaged network',
      (f: Files) => f.set('model.onnx', good.get('model.onnx')!.subarray(0, 900)),
      'model.onnx is damaged or not an ONNX file.',
    ],
    [
      'a script that names a lost node',
      replaced('model.alls', '{{/backbone/stem/conv/Conv}}', '{{/backbone/stem/conv}}'),
      'model.onnx has no node named /backbone/stem/conv.',
    ],
    [
      'another number of classes',
      replaced('nms_config.json', '"classes": 3', '"classes": 80'),
      'nms_config.json disagrees with bundle.json on classes or image_dims.',
    ],
    [
      'classes that the network does not have',
      (f: Files) => {
        replaced('nms_config.json', '"classes": 3', '"classes": 80')(f);
        replaced('bundle.json', '"classes": 3', '"classes": 80')(f);
      },
      '/head/cls_preds.2/Sigmoid (cls, stride 32) has 3 channels; it must have 80.',
    ],
    [
      'swapped layers of a decoder',
      replaced('nms_config.json', '{{/head/obj_preds.0/Sigmoid}}', '{{/head/cls_preds.0/Sigmoid}}'),
      "nms_config.json names ['{{/head/cls_preds.0/Sigmoid}}'] as objectness_layer of stride 8; it must be {{/head/obj_preds.0/Sigmoid}}.",
    ],
    [
      'a head too few',
      replaced('nms_config.json', /,\s*\{\s*"name": "bbox_decoder_32"[^}]*\}\}"[^}]*\}\}"[^}]*\}\}"\s*\}/, ''),
      'nms_config.json has 2 bbox decoders for 3 heads.',
    ],
    [
      'a stride that does not fit',
      (f: Files) => {
        replaced('bundle.json', '"stride": 32', '"stride": 64')(f);
      },
      '/head/reg_preds.2/Conv has the shape [1, 4, 2, 2]; stride 64 makes it [1, 4, 1, 1].',
    ],
    [
      'normalization that the network does not want',
      replaced(
        'model.alls',
        'model_optimization_flavor',
        'normalization1 = normalization([0, 0, 0], [255, 255, 255])\nmodel_optimization_flavor',
      ),
      'model.alls normalises by [[[0, 0, 0], [255, 255, 255]]] where bundle.json says mean [0, 0, 0] and std [1, 1, 1].',
    ],
    [
      'colours swapped twice',
      replaced('model.alls', 'model_optimization_flavor', 'input_conversion1 = input_conversion(bgr_to_rgb)\nmodel_optimization_flavor'),
      'model.alls must not swap red and blue: the model wants bgr, the host sends bgr.',
    ],
    [
      'suppression for another family',
      replaced('model.alls', 'meta_arch=yolox', 'meta_arch=yolov8'),
      `model.alls has nms_postprocess("NMS_CONFIG", meta_arch=yolov8, engine=cpu); it must have ['"NMS_CONFIG", meta_arch=yolox, engine=cpu'].`,
    ],
    ['bad JSON', (f: Files) => f.set('bundle.json', '{"net_name": '), /^compile.py: bundle.json is not valid JSON \(Expecting value/],
    ['a bundle.json of something else', (f: Files) => f.set('bundle.json', '{}'), 'bundle.json has no "net_name".'],
    [
      'a hostile network name',
      replaced('bundle.json', '"net_name": "tiny"', '"net_name": "../tiny"'),
      'bundle.json\'s net_name "../tiny" is not a plain name.',
    ],
    [
      'an uncut network',
      (f: Files) => f.set('model.onnx', serializeModel(tinyYolox())),
      /^compile.py: model.onnx ends at \/head\/Transpose where bundle.json says \/head\/reg_preds.2\/Conv, /,
    ],
    [
      'a node without a plain name',
      network((m) => withGraph(m, { nodes: m.graph.nodes.map((n, i) => (i === 3 ? { ...n, name: 'a"; b' } : n)) })),
      "model.onnx has a node without a plain name ('a\"; b').",
    ],
    [
      'two nodes of one name',
      network((m) => withGraph(m, { nodes: m.graph.nodes.map((n, i) => (i < 2 ? { ...n, name: 'same' } : n)) })),
      'model.onnx has several nodes named same.',
    ],
    [
      'another input',
      network((m) => withGraph(m, { inputs: [{ ...m.graph.inputs[0]!, shape: [1, 3, 32, 32] }] })),
      'model.onnx takes images [1, 3, 32, 32] where bundle.json says images [1, 3, 64, 64].',
    ],
  ])('refuses %s', (_, change, sentence) => {
    const { code, err } = dryRun(change as (f: Files) => void);
    expect(code).toBe(1);
    if (sentence instanceof RegExp) expect(err).toMatch(sentence);
    else expect(err).toBe(`compile.py: ${sentence}`);
  });

  it('refuses a Conv without kernel_shape', () => {
    const bare = network((m) =>
      withGraph(m, {
        nodes: m.graph.nodes.map((n) => {
          const { kernel_shape: _, ...attributes } = n.attributes;
          return n.op === 'Conv' ? { ...n, attributes } : n;
        }),
      }),
    );
    expect(dryRun(bare).err).toBe('compile.py: model.onnx: the Conv /backbone/stem/conv/Conv has no kernel_shape.');
  });

  it('warns about an operator set or IR version that is not known to work', () => {
    const { code, out } = dryRun(network((m) => ({ ...m, irVersion: 9, opsets: { '': 17 } })));
    expect(code).toBe(0);
    expect(out).toContain('warning: model.onnx has IR version 9; 8 or lower is known to work.');
    expect(out).toContain('warning: model.onnx has opset 17; 11 to 13 are known to work.');
  });

  it('accepts bundles of a generic network and of an 80-class one with another size', async () => {
    const generic = { ...artifact(tinyYolox()), spec: null };
    const wide = artifact(tinyYolox({ classes: 80, height: 96, width: 160, logits: true, depthwise: false }));
    for (const float of [generic, wide]) expect(run(unzipped(await bundleOf(float)), ['--dry-run'])).toMatchObject({ code: 0, err: '' });
  });
});

/** The calibration file with a part of its header replaced by one of equal length. */
function rewritten(from: string, to: string): Uint8Array {
  const bytes = Uint8Array.from(good.get('calib_set.npy')!);
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 128));
  if (!text.includes(from) || from.length !== to.length) throw new Error(`no ${from}`);
  bytes.set(new TextEncoder().encode(to), text.indexOf(from));
  return bytes;
}
