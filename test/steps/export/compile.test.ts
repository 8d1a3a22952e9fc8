import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { TINY_YOLOX_ENDS, tinyYolox } from '../../fixtures/tiny-yolox';
import { artifact, bundleOf, python, run, unzipped } from './bundle';
import { compile, hasNumpy, type Variant } from './stand-in';

let files: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
  files = await bundleOf(artifact(tinyYolox(), 'Tiny Net.onnx'), { hostOrder: 'rgb' });
});

/** Coarsest level first, as the vendor lists them. */
const ENDS = [TINY_YOLOX_ENDS.slice(6), TINY_YOLOX_ENDS.slice(3, 6), TINY_YOLOX_ENDS.slice(0, 3)].flat();

/** How HN layers are found: by the names they came from, or without them by size and channels and by kernels. */
const VARIANTS: Readonly<Record<string, Variant>> = {
  'original names': {},
  'no original names': { originalNames: () => false },
  'no original names at the heads': { originalNames: (node) => !node.includes('_preds') },
  'no original names at the stem': { originalNames: (node) => !node.includes('stem') },
};

describe('compile.py against the stand-in of the compiler', () => {
  it.each(Object.keys(VARIANTS))('compiles with %s', (key) => {
    const { code, err, calls, read, description } = compile(unzipped(files), [], VARIANTS[key]);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(calls).toMatchObject({
      hw_arch: 'hailo8',
      net_name: 'tiny_net',
      end_node_names: ENDS,
      net_input_shapes: { images: [1, 3, 64, 64] },
      calibration: [6, 64, 64, 3],
    });
    const layer = (node: string) => `tiny_net/${description.layers.find((l) => l.ends.includes(node))!.name}`;
    const nms = JSON.parse(read('out/nms_config.json')!);
    expect(nms.bbox_decoders.map((d: { stride: number }) => d.stride)).toEqual([8, 16, 32]);
    expect(nms.bbox_decoders[0]).toMatchObject({
      reg_layer: layer('/head/reg_preds.0/Conv'),
      objectness_layer: layer('/head/obj_preds.0/Sigmoid'),
      cls_layer: layer('/head/cls_preds.0/Sigmoid'),
    });
    const script = read('out/model.alls')!;
    expect(script).toBe(calls.script);
    expect(script).not.toContain('{{');
    expect(script).toContain('input_conversion1 = input_conversion(bgr_to_rgb)');
    expect(script).toContain('activation_clipping, layers=[tiny_net/conv1]');
    expect(script).toContain(`quantization_param([tiny_net/dw1, ${ENDS.map(layer).join(', ')}], precision_mode=a16_w16)`);
    expect(script).toContain('out/nms_config.json", meta_arch=yolox, engine=cpu)');
    expect(read('out/tiny_net.hef')).toBe('HEF of tiny_net');
    expect([1, 2, 3].map((i) => read(`out/${i}_${['parsed', 'quantized', 'compiled'][i - 1]}.har`))).toEqual([
      'HAILO_MODEL',
      'QUANTIZED_MODEL',
      'COMPILED_MODEL',
    ]);
  });

  it.runIf(hasNumpy())('compiles with the real NumPy', () => {
    expect(compile(unzipped(files), [], VARIANTS['no original names'], [])).toMatchObject({ code: 0, err: '' });
  });

  it('tells heads of equal size and channels apart by their kernels: one class', async () => {
    const single = await bundleOf(artifact(tinyYolox({ classes: 1 })));
    const { code, err, read, description } = compile(unzipped(single), [], { originalNames: () => false });
    expect([code, err]).toEqual([0, '']);
    const decoder = JSON.parse(read('out/nms_config.json')!).bbox_decoders[2];
    const layer = (node: string) => `tiny/${description.layers.find((l) => l.ends.includes(node))!.name}`;
    expect(decoder.objectness_layer).toBe(layer('/head/obj_preds.2/Sigmoid'));
    expect(decoder.cls_layer).toBe(layer('/head/cls_preds.2/Sigmoid'));
  });

  it('does not believe names that contradict sizes', () => {
    const change: Variant['change'] = (layers) => {
      const [a, b] = [0, 1].map((level) => layers.find((l) => l.ends.includes(`/head/reg_preds.${level}/Conv`))!);
      [a!.original_names, b!.original_names] = [b!.original_names, a!.original_names];
    };
    const { code, err } = compile(unzipped(files), [], { change });
    expect(code).toBe(1);
    expect(err).toMatch(
      /^compile.py: cannot find the layer of \/head\/reg_preds.1\/Conv \(reg, stride 16\); candidates: tiny_net\/conv\d+\.$/,
    );
  });

  it('says which node became no layer', () => {
    const change: Variant['change'] = (layers) => {
      layers[0]!.original_names = null;
      layers[0]!.kernel = layers[0]!.kernel.map(() => 0);
    };
    expect(compile(unzipped(files), [], { change }).err).toBe(
      'compile.py: no Hailo layer came from /backbone/stem/conv/Conv; it was probably fused, name its producer instead.',
    );
  });

  it('is Python 3.8', () => {
    const folder = unzipped(files);
    const code = 'import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 8))';
    expect(spawnSync(python(), ['-c', code, join(folder, 'compile.py')], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('runs from the shell script, which keeps the log', () => {
    const folder = unzipped(files);
    const { status, stdout } = spawnSync('bash', [join(folder, 'compile.sh'), '--dry-run'], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(readFileSync(join(folder, 'out/compile.log'), 'utf8')).toBe(stdout);
    rmSync(join(folder, 'recipe.json'));
    expect(spawnSync('bash', [join(folder, 'compile.sh'), '--dry-run']).status).toBe(1);
  });

  it('takes another target', () => {
    expect(compile(unzipped(files), ['--hw-arch', 'hailo8l']).calls.hw_arch).toBe('hailo8l');
    expect(compile(unzipped(files), ['--hw-arch', 'hailo7']).err).toContain("ValueError: hw_arch 'hailo7'");
  });

  it('says in one sentence that the compiler is missing', () => {
    const { code, err } = run(unzipped(files), []);
    expect(code).toBe(1);
    expect(err).toMatch(
      /^compile.py: the Hailo Dataflow Compiler is not installed in this Python \(No module named '(numpy|hailo_sdk_client)'\); activate its virtualenv first\.$/,
    );
  });

  const check = (scores: readonly number[]) => {
    const folder = unzipped(files);
    const names = ['SDK_NATIVE', 'SDK_FP_OPTIMIZED', 'SDK_QUANTIZED'];
    const table = names.map((name, i) => `'${name}': ${scores[i]}`).join(', ');
    writeFileSync(
      join(folder, 'check.py'),
      `import numpy\n\n\ndef score(infer, context):\n    image = numpy.array([1, 2, 3]).reshape([1, 1, 1, 3])\n    print(context, infer(image).tolist())\n    return {${table}}[context]\n`,
    );
    return compile(folder, ['--check', join(folder, 'check.py')]);
  };

  it('passes the gate and gives the float stage what the script does on the device', () => {
    const { code, out, read } = check([0.5, 0.5, 0.49]);
    expect(code).toBe(0);
    // The host sends RGB, the network wants BGR.
    expect(out).toContain('SDK_NATIVE [3.0, 2.0, 1.0]');
    expect(out).toContain('SDK_QUANTIZED [1, 2, 3]');
    expect(read('out/tiny_net.hef')).toBe('HEF of tiny_net');
  });

  it.each([
    [[0.5, 0.3, 0.3], 'SDK_FP_OPTIMIZED lost 0.2000 (allowed: 0.0200): preprocessing, colours or the cut are wrong; no HEF was written.'],
    [[0.5, 0.5, 0.1], 'SDK_QUANTIZED lost 0.4000 (allowed: 0.0200): quantization costs too much; no HEF was written.'],
  ])('stops before the HEF when a stage falls: %j', (scores, sentence) => {
    const { code, err, read } = check(scores);
    expect(code).toBe(1);
    expect(err).toBe(`compile.py: ${sentence}`);
    expect(read('out/tiny_net.hef')).toBeNull();
  });
});
