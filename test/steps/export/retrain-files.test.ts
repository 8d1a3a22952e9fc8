/** What retrain/ holds, and that retrain.py prepares images as the studio does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImageDir } from '../../../src/data/node';
import { inputDims, type Preprocess, preprocess } from '../../../src/models';
import { parseModel, serializeModel, withGraph } from '../../../src/onnx';
import { retrainFiles } from '../../../src/steps/export/retrain';
import { pythonString, retrainSettings } from '../../../src/steps/export/retrain/settings';
import { writeScenes } from '../../cli/coco-dir';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { artifact, bundleOf, textOf, unzipped } from './bundle';
import { retrainFolder, SKIPPED, TORCH_PYTHON, withScript } from './retrain-python';

const NAMES = ['retrain/retrain.py', 'retrain/README.md', 'retrain/student.onnx', 'retrain/teacher.onnx'];

describe('retrain/ in a bundle', () => {
  it.each(['hailo8', 'tflite'])('%s: both networks whole, whatever the toolchain gets', async (device) => {
    const float = artifact(tinyYolox({ channels: 10 }));
    const original = artifact(tinyYolox());
    const files = await bundleOf(float, {}, { original, device });
    expect([...files.keys()].filter((name) => name.startsWith('retrain/'))).toEqual(NAMES);
    expect(files.get('retrain/student.onnx')).toEqual(serializeModel(float.model));
    expect(files.get('retrain/teacher.onnx')).toEqual(serializeModel(original.model));
    expect(textOf(files, 'README.md')).toContain('| `retrain/` | trains the float network further on GPUs: see its README.md |');
    expect([...(await bundleOf(float)).keys()].filter((name) => name.startsWith('retrain/'))).toEqual([]);
  });

  it('names the values before the sigmoids, finest level first, in both networks', () => {
    const settings = retrainSettings(artifact(tinyYolox({ channels: 10 })), artifact(tinyYolox()))!;
    expect(settings.student).toEqual(settings.teacher);
    expect(settings.student.heads[0]).toEqual({
      stride: 8,
      reg: '/head/reg_preds.0/Conv_out',
      obj: '/head/obj_preds.0/Conv_out',
      cls: '/head/cls_preds.0/Conv_out',
    });
    expect(settings.student.heads.map(({ stride }) => stride)).toEqual([8, 16, 32]);
  });

  it('does not compare heads of other classes, and says so', () => {
    const files = retrainFiles(artifact(tinyYolox({ classes: 2 })), artifact(tinyYolox()));
    expect(textOf(files, 'retrain/README.md')).toContain('The original’s head differs, so only features and labels are compared');
    expect(retrainSettings(artifact(tinyYolox({ classes: 2 })), artifact(tinyYolox()))!.teacher.heads).toEqual([]);
  });

  it('has no such folder for a network that takes no image', () => {
    const model = tinyYolox();
    const flat = withGraph(model, { inputs: [{ ...model.graph.inputs[0]!, shape: [1, 100] }] });
    expect(retrainFiles({ ...artifact(flat), spec: null }, artifact(model)).size).toBe(0);
  });

  it('lets nothing from a file’s name out of the script’s one string', () => {
    const name = 'a"); import os #\n"""\\\'\u2028\u0000{x}日本😀.onnx';
    const literal = pythonString({ name });
    expect(literal).toMatch(/^"[\x20-\x7e]*"$/);
    expect(JSON.parse(JSON.parse(literal))).toEqual({ name });
    const script = textOf(retrainFiles(artifact(tinyYolox(), name), artifact(tinyYolox())), 'retrain/retrain.py');
    const plain = textOf(retrainFiles(artifact(tinyYolox(), 'b'), artifact(tinyYolox())), 'retrain/retrain.py');
    const without = (text: string) => text.split('\n').filter((line) => !line.startsWith('SETTINGS = '));
    expect(without(script)).toEqual(without(plain));
    expect(script.split('\n').length - without(script).length).toBe(1);
  });
});

const VARIANTS: Readonly<Record<string, Partial<Preprocess>>> = {
  'as YOLOX': {},
  'as YOLOv5, normalised': { resize: 'letterbox-center', channels: 'rgb', mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] },
  'stretched, gray': { resize: 'stretch', channels: 'gray', mean: [127, 0, 0], std: [128, 1, 1] },
  'channels last': { layout: 'nhwc', channels: 'rgb', pad: 0, std: [255, 255, 255] },
};

const PREPARE = `
images, prepare = retrain.Images([sys.argv[2]], 1), retrain.Preparer(torch.device("cpu"))
assert retrain.SETTINGS["name"] == json.loads(sys.argv[4]), retrain.SETTINGS["name"]
for i in range(len(images)):
    canvas, boxes, count = images[(0, i, False)]
    prepare(torch.from_numpy(canvas)[None]).numpy().tofile("%s/%d.bin" % (sys.argv[3], i))
    augmented = [images[(epoch, i, True)] for epoch in (0, 1, 0)]
    assert (augmented[0][0] == augmented[2][0]).all() and (augmented[0][0] != augmented[1][0]).any()
    print(json.dumps([boxes[:count].tolist(), [a[1][:a[2]].tolist() for a in augmented[:2]]]))
`;

describe.runIf(TORCH_PYTHON)(`retrain.py’s images${SKIPPED}`, () => {
  it.each(Object.keys(VARIANTS))('are prepared as the studio prepares them, to the bit: %s', async (variant) => {
    const scenes = unzipped(new Map());
    await writeScenes(scenes, 40, 3);
    const name = 'a "quoted" \\ 日本😀\n.onnx';
    const student = artifact(tinyYolox({ height: 64, width: 96, classes: 8 }), name, VARIANTS[variant]);
    const p = student.spec!.preprocess;
    const out = unzipped(new Map());
    const said = await withScript(retrainFolder(student, student), PREPARE, [scenes, out, JSON.stringify(name)]);
    const lines = said.trim().split('\n');
    const set = await openImageDir(scenes);
    for (const [i, entry] of set.entries.entries()) {
      const { input, placement } = preprocess(await set.load(i), p);
      const bytes = readFileSync(join(out, `${i}.bin`));
      expect(new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))).toEqual(input);
      expect(input.length).toBe(inputDims(p).reduce((a, b) => a * b, 1));
      const [boxes, augmented] = JSON.parse(lines[i]!) as [number[][], number[][][]];
      const expected = entry.truths.map(({ bbox: [x, y, w, h], categoryId }) => {
        const across = [x, x + w].map((v) => v * placement.scaleX + placement.offsetX);
        const down = [y, y + h].map((v) => v * placement.scaleY + placement.offsetY);
        return [categoryId - 1, across[0]!, down[0]!, across[1]!, down[1]!];
      });
      // The letterbox rounds the image's size to whole pixels, Placement doesn't; tiny boxes are left out.
      const kept = expected.filter(([, x1, y1, x2, y2]) => x2! - x1! > 1.5 && y2! - y1! > 1.5);
      expect(boxes.length).toBeGreaterThanOrEqual(kept.length);
      for (const box of kept)
        expect(Math.min(...boxes.map((own) => Math.max(...own.map((v, k) => Math.abs(v - box[k]!)))))).toBeLessThan(1.1);
      for (const [, x1, y1, x2, y2] of augmented.flat() as [number, number, number, number, number][]) {
        expect(x1 >= 0 && y1 >= 0 && x2 <= p.width && y2 <= p.height && x1 < x2 && y1 < y2).toBe(true);
      }
    }
  });

  it('reads the two networks it was given', async () => {
    const folder = retrainFolder(artifact(tinyYolox({ channels: 10 })), artifact(tinyYolox()));
    const said = await withScript(
      folder,
      'print(*[len(retrain.load_onnx(retrain.HERE / n).graph.node) for n in ("student.onnx", "teacher.onnx")])',
    );
    const nodes = parseModel(serializeModel(tinyYolox())).graph.nodes.length;
    expect(said.trim()).toBe(`${nodes} ${nodes}`);
  });
});
