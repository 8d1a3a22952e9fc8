/** The bundles of the devices beside Hailo-8, and what of a plan goes into the model script. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { weightQParams } from '../../../src/numerics';
import { foldConstants, parseModel, serializeModel, toFloat32, upgradeOpset } from '../../../src/onnx';
import { floatTwin } from '../../../src/steps/export';
import { type ActivationQuant, buildQdq, type ConstantQuant, type QuantPlan } from '../../../src/steps/quantize';
import type { QuantArtifact, TensorQuant } from '../../../src/steps/types';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { maxDifference, randomFeeds, runBytes } from '../../onnx/ort';
import { artifact, bundleOf, python, textOf, unzipped } from './bundle';
import { compile, hasNumpy } from './stand-in';

const float = () => artifact(tinyYolox());

const activation = (tensor: string, dtype: TensorQuant['dtype'] = 'uint16'): TensorQuant => ({
  ...{ tensor, role: 'activation', dtype, scale: [0.5], zeroPoint: [10], axis: null, sharesWith: null },
});

function quantOf(plan: readonly TensorQuant[], model = tinyYolox()): QuantArtifact {
  return { kind: 'quant', hash: 'q', floatHash: 'f00d', name: 'tiny.onnx', model, spec: float().spec, plan, notes: [] };
}

/** A QDQ network of the small YOLOX: its input, and every Conv's weight per channel and output. */
function qdq() {
  const model = upgradeOpset(foldConstants(tinyYolox()), 13);
  const convs = model.graph.nodes.filter((n) => n.op === 'Conv');
  const eight = { dtype: 'uint8' as const, scale: [0.05], zeroPoint: [128], axis: null, qmin: 0, qmax: 255 };
  const values = ['images', ...convs.map((n) => n.outputs[0]!), model.graph.outputs[0]!.name];
  const activations = new Map(values.map((value): [string, ActivationQuant] => [value, { value, params: eight, sharesWith: null }]));
  const constants = convs.map((n): ConstantQuant => {
    const weight = model.graph.initializers.get(n.inputs[1]!)!;
    const params = weightQParams({ dims: weight.dims, data: toFloat32(weight) }, { axis: 0 });
    return { node: n.name, input: 1, tensor: weight.name, role: 'weight', params };
  });
  const plan: QuantPlan = { activations, constants, layers: [], notes: [] };
  return { model, plan, qdq: buildQdq(model, plan) };
}

describe('16-bit layers in the model script', () => {
  const script = async (tensors: readonly string[], device = 'hailo8') =>
    textOf(await bundleOf(float(), {}, { quant: quantOf(tensors.map((t) => activation(t))), device }), 'model.alls')
      .split('\n')
      .filter((line) => line.startsWith('quantization_param'));

  it('names who makes a wide tensor and who reads it', async () => {
    // The first depthwise layer of stage 2 reads the stem alone.
    expect(await script(['/backbone/stem/act/Mul_out'])).toEqual([
      'quantization_param([{{/backbone/stem/conv/Conv}}], precision_mode=a8_w8_a16)',
      'quantization_param([{{/backbone/dark2/down/dconv/conv/Conv}}], precision_mode=a16_w16)',
    ]);
  });

  it('keeps 8-bit weights where the compiler has that mode', async () => {
    expect((await script(['/backbone/stem/act/Mul_out'], 'hailo15h'))[1]).toBe(
      'quantization_param([{{/backbone/dark2/down/dconv/conv/Conv}}], precision_mode=a16_w8)',
    );
  });

  it('gives all nine heads one width, and says that it did', async () => {
    const files = await bundleOf(float(), {}, { quant: quantOf([activation('/head/reg_preds.0/Conv_out')]) });
    const [line] = textOf(files, 'model.alls').match(/quantization_param\(.*a8_w8_a16\)/)!;
    expect(line.match(/\{\{/g)).toHaveLength(9);
    expect(textOf(files, 'README.md')).toContain('8 more tensors get 16 bits');
  });

  it('replaces the preset’s own 16-bit line and stays silent for a plan of 8 bits', async () => {
    expect(await script([])).toEqual([expect.stringContaining('precision_mode=a16_w16')]);
    const eight = await bundleOf(float(), { scriptPreset: 'plain' }, { quant: quantOf([activation('images', 'uint8')]) });
    expect(textOf(eight, 'model.alls')).not.toContain('quantization_param');
  });

  it('compiles, leaving out a joined layer that the compiler fused away', async () => {
    const quant = quantOf([activation('/backbone/dark2/csp/m/Add_out')]);
    const { code, err, out, read } = compile(unzipped(await bundleOf(float(), {}, { quant })));
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('warning: /backbone/dark2/csp/m/Add is no layer of its own');
    expect(read('out/model.alls')).toMatch(/quantization_param\(\[tiny\/conv\d+(, tiny\/(conv|dw)\d+)*\], precision_mode=a8_w8_a16\)/);
    expect(read('out/model.alls')).not.toContain('{{');
  });
});

describe('the studio’s ranges in the model script', () => {
  it('are manual clipping with equalization off, and only on request', async () => {
    const quant = quantOf([activation('/backbone/stem/act/Mul_out', 'uint8')]);
    const lines = async (activationRanges: string) =>
      textOf(await bundleOf(float(), { activationRanges }, { quant }), 'model.alls')
        .split('\n')
        .filter((line) => line.startsWith('pre_quantization'));
    expect(await lines('studio')).toEqual([
      'pre_quantization_optimization(equalization, policy=disabled)',
      'pre_quantization_optimization(activation_clipping, layers=[{{/backbone/stem/conv/Conv}}], mode=manual, clipping_values=[-5, 122.5])',
    ]);
    expect((await lines('compiler')).join()).not.toContain('manual');
  });
});

describe('floatTwin', () => {
  it('computes with the quantized weights, and a per-channel quantizer finds the same integers', async () => {
    const { model, plan, qdq: network } = qdq();
    const twin = floatTwin(network);
    expect(twin.graph.nodes.map((n) => n.op)).toEqual(model.graph.nodes.map((n) => n.op));
    expect(twin.graph.outputs.map((o) => o.name)).toEqual(model.graph.outputs.map((o) => o.name));
    // The same network with its weights quantized and nothing else.
    const weightsOnly = buildQdq(model, { ...plan, activations: new Map() });
    const feeds = randomFeeds(model, undefined, 1, 60);
    const [a, b] = [await runBytes(serializeModel(twin), feeds), await runBytes(serializeModel(weightsOnly), feeds)];
    expect(maxDifference(a, b)).toBe(0);
    for (const n of twin.graph.nodes.filter(({ op }) => op === 'Conv')) {
      const weight = twin.graph.initializers.get(n.inputs[1]!)!;
      const again = weightQParams({ dims: weight.dims, data: toFloat32(weight) }, { axis: 0 }).scale;
      const was = plan.constants.find((c) => c.node === n.name)!.params.scale;
      expect(Math.max(...again.map((scale, i) => Math.abs(scale / was[i]! - 1)))).toBeLessThan(1e-6);
    }
  });
});

describe('the bundle for ONNX Runtime', () => {
  it('is the QDQ network with its README', async () => {
    const quant = quantOf([], qdq().qdq);
    const files = await bundleOf(float(), {}, { quant, device: 'ort' });
    expect([...files.keys()].sort()).toEqual(['README.md', 'bundle.json', 'model.onnx', 'model.qdq.onnx', 'recipe.json']);
    expect(files.get('model.qdq.onnx')).toEqual(serializeModel(quant.model));
    expect(textOf(files, 'README.md')).toContain('Inputs: images \\(float32 1×3×64×64\\).');
  });

  it('is refused for a network that was not quantized', async () => {
    await expect(bundleOf(float(), {}, { device: 'ort' })).rejects.toThrow('tiny.onnx was not quantized');
  });
});

/** onnx2tf and TensorFlow as far as convert.py calls them: the calls are recorded, the file holds what was asked for. */
const STAND_IN = {
  'onnx2tf.py': `import json, os
def convert(**given):
    if "flatbuffer_direct_output_saved_model" in given and os.environ.get("OLD"):
        raise TypeError("unexpected keyword")
    os.makedirs(given["output_folder_path"])
    if not os.environ.get("NOTHING"):
        open(given["output_folder_path"] + "/saved_model.pb", "w").close()
    json.dump(sorted(given), open(os.environ["LOG"] + ".onnx2tf", "w"))
`,
  'tensorflow.py': `import json, os, types
int8, int16 = "int8", "int16"
class Converter:
    def __init__(self):
        self.target_spec = types.SimpleNamespace()
        self.inference_input_type = self.inference_output_type = "float32"
    @classmethod
    def from_saved_model(cls, folder):
        return cls()
    def convert(self):
        given = [sample[0] for sample in self.representative_dataset()]
        json.dump({"ops": self.target_spec.supported_ops, "io": [self.inference_input_type, self.inference_output_type],
                   "samples": len(given), "shape": list(given[0].shape), "dtype": str(given[0].dtype),
                   "first": [float(v) for v in given[0][0, 0, 0]]}, open(os.environ["LOG"] + ".tf", "w"))
        return b"TFL3"
class Interpreter:
    def __init__(self, model_content):
        import numpy
        assert model_content == b"TFL3"
        self.numpy = numpy
        self.count = len(json.load(open(os.path.dirname(os.environ["LOG"]) + "/bundle.json"))["end_nodes"])
    def allocate_tensors(self):
        pass
    def get_input_details(self):
        return [{"index": 0, "dtype": self.numpy.int8, "quantization": (0.05, -3)}]
    def set_tensor(self, index, value):
        assert value.dtype == self.numpy.int8 and value.shape == (1, 64, 64, 3)
    def invoke(self):
        pass
    def get_output_details(self):
        return [{"index": i, "quantization": (0.5, -10)} for i in reversed(range(self.count))]
    def get_tensor(self, i):
        planar = self.numpy.arange(4 * (i + 1)).reshape(1, i + 1, 2, 2) - 10
        if i == 0:
            planar[0, 0, 0, 0] += 1  # one step of 0.5 wrong
        return planar.transpose(0, 2, 3, 1).astype(self.numpy.int8)
lite = types.SimpleNamespace(TFLiteConverter=Converter, Interpreter=Interpreter, Optimize=types.SimpleNamespace(DEFAULT="default"),
    OpsSet=types.SimpleNamespace(TFLITE_BUILTINS_INT8="int8 only", EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8="16x8 only"))
`,
  'onnxruntime.py': `import json, os
if os.environ.get("ALONE"):
    raise ImportError("not here")
class InferenceSession:
    def __init__(self, path, providers):
        self.count = len(json.load(open(os.path.dirname(path) + "/bundle.json"))["end_nodes"])
    def run(self, names, feeds):
        import numpy
        (value,) = feeds.values()
        assert value.shape == (1, 3, 64, 64)
        return [(numpy.arange(4 * (i + 1)).reshape(1, i + 1, 2, 2) * 0.5).astype("float32") for i in range(self.count)]
`,
};

function convert(files: ReadonlyMap<string, Uint8Array | string>, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const folder = unzipped(files);
  const modules = join(folder, 'stand-in');
  mkdirSync(modules);
  for (const [name, text] of Object.entries(STAND_IN)) writeFileSync(join(modules, name), text);
  const log = join(folder, 'log');
  const result = spawnSync(python(), [join(folder, 'convert.py'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1', LOG: log, ...env },
  });
  return { code: result.status, out: result.stdout, err: result.stderr.trim(), folder, log };
}

describe('the bundle for TensorFlow Lite', () => {
  const bundle = async () => {
    const rgb = artifact(tinyYolox(), 'Tiny Net.onnx', { channels: 'rgb', mean: [100, 110, 120], std: [50, 50, 50] });
    return bundleOf(rgb, { hostOrder: 'bgr' }, { quant: quantOf([], qdq().qdq), device: 'tflite' });
  };

  it('ends at the logits, carries the quantized weights, and says what the converter does by itself', async () => {
    const files = await bundle();
    expect([...files.keys()].sort()).toEqual(
      ['README.md', 'bundle.json', 'calib_set.npy', 'convert.py', 'model.onnx', 'model.qdq.onnx', 'recipe.json'].sort(),
    );
    const model = parseModel(files.get('model.onnx')!);
    expect(model.graph.nodes.filter((n) => n.op === 'QuantizeLinear' || n.op === 'Reshape')).toEqual([]);
    expect(JSON.parse(textOf(files, 'bundle.json')).end_nodes.every((name: string) => name.endsWith('/Conv'))).toBe(true);
    expect(model.graph.outputs).toHaveLength(9);
    const weight = (m: typeof model) => toFloat32(m.graph.initializers.get(m.graph.nodes.find((n) => n.op === 'Conv')!.inputs[1]!)!);
    expect(weight(model)).toEqual(weight(floatTwin(qdq().qdq)));
    expect(weight(model)).not.toEqual(weight(tinyYolox()));
    expect(textOf(files, 'README.md')).toContain('clipped ranges of the studio do not reach the file');
  });

  it('says where the device differs from what was evaluated, by the names of the float network', async () => {
    const { plan, qdq: model } = qdq();
    const weights = plan.constants.map(
      ({ tensor, params }): TensorQuant => ({
        ...activation(tensor, 'int8'),
        role: 'weight',
        scale: params.scale,
        zeroPoint: params.zeroPoint,
        axis: 0,
      }),
    );
    const readme = async (dropped: number) =>
      textOf(await bundleOf(float(), {}, { quant: quantOf(weights.slice(dropped), model), device: 'tflite' }), 'README.md');
    expect(await readme(0)).not.toContain('leaves it in float');
    expect(await readme(1)).toContain('"/backbone/stem/conv/Conv" \\(Conv\\), falls back: The plan leaves it in float.');
  });

  it('original weights on request', async () => {
    const files = await bundleOf(float(), { weights: 'original' }, { quant: quantOf([], qdq().qdq), device: 'tflite' });
    const model = parseModel(files.get('model.onnx')!);
    const first = model.graph.nodes.find((n) => n.op === 'Conv')!.inputs[1]!;
    expect(toFloat32(model.graph.initializers.get(first)!)).toEqual(toFloat32(tinyYolox().graph.initializers.get(first)!));
  });

  it('convert.py --dry-run accepts it and names what doesn’t fit', async () => {
    const files = await bundle();
    expect(convert(files, ['--dry-run'])).toMatchObject({
      code: 0,
      out: 'warning: 6 calibration images; 100 to 500 are usual.\nbundle is consistent\n',
      err: '',
    });
    const hailo = await bundleOf();
    const foreign = new Map<string, Uint8Array | string>([...files, ['bundle.json', textOf(hailo, 'bundle.json')]]);
    expect(convert(foreign, ['--dry-run']).err).toBe('convert.py: the bundle is for "hailo8", not for TensorFlow Lite.');
    const cut = new Map<string, Uint8Array | string>([...files, ['calib_set.npy', files.get('calib_set.npy')!.subarray(0, 1000)]]);
    expect(convert(cut, ['--dry-run']).err).toBe(
      'convert.py: calib_set.npy has 872 bytes of images where its header says 73728; unzip it again.',
    );
    const other = new Map<string, Uint8Array | string>([...files, ['model.onnx', files.get('model.qdq.onnx')!]]);
    expect(convert(other, ['--dry-run']).err).toMatch(/^convert.py: model.onnx ends at .* where bundle.json says /);
  });

  it.runIf(hasNumpy()).each([
    [[], {}, 'int8', 'int8 only', ['int8', 'int8']],
    [['--int16'], { OLD: '1' }, 'int16x8', '16x8 only', ['int16', 'int16']],
    [['--float-io', '--images', '4'], {}, 'int8', 'int8 only', ['float32', 'float32']],
  ] as const)('converts with %o', async (args, env, name, ops, io) => {
    const files = await bundle();
    const { code, err, out, folder, log } = convert(files, args, { ...env, ALONE: '1' });
    expect([code, err]).toEqual([0, '']);
    expect(existsSync(join(folder, `out/tiny_net_${name}.tflite`))).toBe(true);
    expect(out).toContain('onnxruntime is not installed: the file was not compared');
    const asked = JSON.parse(readFileSync(`${log}.tf`, 'utf8'));
    expect(asked).toMatchObject({ ops: [ops], io, samples: args.length > 2 ? 4 : 6, shape: [1, 64, 64, 3], dtype: 'float32' });
    // BGR from the host, RGB and mean/std for the network.
    const [b, g, r] = files.get('calib_set.npy')!.subarray(128, 131);
    expect(asked.first).toEqual([(r! - 100) / 50, (g! - 110) / 50, (b! - 120) / 50].map((v) => expect.closeTo(v, 5)));
    const kwargs = JSON.parse(readFileSync(`${log}.onnx2tf`, 'utf8'));
    expect(kwargs.includes('flatbuffer_direct_output_saved_model')).toBe(!('OLD' in env));
  });

  it.runIf(hasNumpy())('compares each output of the file with the float network, whatever their order', async () => {
    const { out, err } = convert(await bundle(), []);
    expect(err).toBe('');
    const lines = out.split('\n').filter((line) => line.endsWith('dB against the float network'));
    expect(lines).toHaveLength(9);
    // (0 + 0.25 + 1 + 2.25) against one step of 0.5: 10 · log10(3.5 / 0.25).
    expect(lines[0]).toContain(': 11.5 dB');
    expect(Number(lines[1]!.match(/: ([\d.]+) dB/)![1])).toBeGreaterThan(100);
  });

  it.runIf(hasNumpy())('says when nothing came out', async () => {
    expect(convert(await bundle(), [], { NOTHING: '1' }).err).toMatch(/^convert.py: onnx2tf wrote no SavedModel/);
  });
});
