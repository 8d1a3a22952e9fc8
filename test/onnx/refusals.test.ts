import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { createRandom, StudioError } from '../../src/numerics';
import { inferShapes, type Model, makeModel, node, parseModel, serializeModel, tensor, valueInfo } from '../../src/onnx';
import { GraphProtoSchema, type ModelProto, ModelProtoSchema } from '../../src/onnx/gen/onnx_pb';
import { f32, runModel } from './ort';
import { caseFile, HAS_DATA, realModel } from './real';

const x = valueInfo('x', 'float32', [1, 4]);
const y = valueInfo('y', 'float32', [1, 4]);

/** y = w · x + b. */
function small(): Model {
  return makeModel({
    inputs: [x],
    outputs: [y],
    nodes: [node('Mul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['y'])],
    initializers: [tensor('w', 'float32', [4], Float32Array.of(1, 2, 3, 4)), tensor('b', 'float32', [1], Float32Array.of(0.5))],
  });
}

/** The small model's file after a change to its message. */
function edited(change: (proto: ModelProto) => void): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, serializeModel(small()));
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

const text = (s: string) => new TextEncoder().encode(s);
const bytes = (...parts: readonly (string | number)[]) =>
  Uint8Array.from(parts.flatMap((p) => (typeof p === 'number' ? [p] : [...p].map((c) => c.charCodeAt(0)))));

/** Code, and the sentence, of what `run` throws. */
function refusal(run: () => unknown): [string, string] {
  try {
    run();
  } catch (error) {
    if (error instanceof StudioError) return [error.code, error.message];
    throw error;
  }
  return ['none', 'accepted'];
}

const external = (location: string, more: Record<string, string> = {}) =>
  edited(({ graph }) => {
    const w = graph!.initializer.find((t) => t.name === 'w')!;
    w.rawData = new Uint8Array();
    w.dataLocation = 1;
    w.externalData = Object.entries({ location, ...more }).map(([key, value]) => ({
      $typeName: 'onnx.StringStringEntryProto',
      key,
      value,
    }));
  });

describe('files that are not ONNX', () => {
  it.each<[string, Uint8Array, string]>([
    ['empty', new Uint8Array(), 'The file is empty (0 bytes).'],
    [
      'Git-LFS pointer',
      text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n'),
      'This is a Git-LFS pointer, not the model itself.',
    ],
    ['web page', text('\n<!DOCTYPE html><html>404</html>'), 'This is a web page, not a model.'],
    ['web page with BOM', text('\ufeff<html lang="en">'), 'This is a web page, not a model.'],
    ['zip', bytes('PK', 3, 4, 20, 0, 0, 0, 'archive/data.pkl'), 'This is a PyTorch or other zip archive, not an ONNX model.'],
    ['pickle', bytes(0x80, 2, 0x8a, 10), 'This is a pickled PyTorch checkpoint, not an ONNX model.'],
    ['TFLite', bytes(28, 0, 0, 0, 'TFL3', 0, 0), 'This is a TensorFlow Lite model, not ONNX.'],
    ['ORT', bytes(28, 0, 0, 0, 'ORTM', 0, 0), 'This is an ONNX Runtime .ort model, which is already converted.'],
    ['HDF5', bytes(0x89, 'HDF', 13, 10), 'This is an HDF5 (Keras) file, not an ONNX model.'],
    ['HEF', bytes(1, 'HEF', 0, 0), 'This is a compiled Hailo program (.hef), not an ONNX model.'],
    ['PNG', bytes(0x89, 'PNG', 13, 10, 26, 10), 'This is an image, not a model.'],
    ['JSON', text('{"images": []}'), 'This is a JSON file, not an ONNX model.'],
    ['OpenVINO', text('<?xml version="1.0"?><net/>'), 'This is an XML file, not an ONNX model.'],
    ['text', text('7767517\n75 83\nInput data 0 1'), 'This is a text file, not an ONNX model.'],
    ['safetensors', bytes(64, 0, 0, 0, 0, 0, 0, 0, '{"w":{'), 'This is a safetensors file, which holds weights without a network.'],
    ['zeros', new Uint8Array(900), 'The file holds only zeros.'],
    ['noise', bytes(0xff, 0xfe, 1, 2, 3, 0xd8), 'This is not an ONNX model, or it is damaged.'],
  ])('%s', (_name, file, sentence) => {
    expect(refusal(() => parseModel(file))).toEqual(['bad-file', sentence]);
  });

  it('names what a cut file lacks, wherever it is cut', () => {
    const file = serializeModel(small());
    for (let length = 0; length < file.length; length++) {
      const [code, sentence] = refusal(() => parseModel(file.subarray(0, length)));
      expect(code, `${length}: ${sentence}`).toBe('bad-file');
    }
    const [, sentence] = refusal(() => parseModel(file.subarray(0, 100)));
    expect(sentence).toMatch(/^The file is cut off or damaged: its graph needs \d+ bytes, \d+ are there\.$/);
  });
});

describe('files that contradict themselves', () => {
  it.each<[string, Uint8Array, string, string]>([
    [
      'negative dimension',
      edited((p) => (p.graph!.initializer[0]!.dims = [-4n])),
      'bad-model',
      'Tensor "w" has the negative dimension -4.',
    ],
    [
      'giant dimensions',
      edited((p) => (p.graph!.initializer[0]!.dims = [2n ** 40n, 2n ** 40n])),
      'bad-model',
      'Tensor "w" has the impossible shape [1099511627776, 1099511627776].',
    ],
    [
      'shape against data',
      edited((p) => (p.graph!.initializer[0]!.dims = [5n])),
      'bad-model',
      'Tensor "w" holds 16 bytes, its shape [5] of float32 needs 20.',
    ],
    ['unknown type', edited((p) => (p.graph!.initializer[0]!.dataType = 77)), 'unsupported', 'Tensor "w" has the unknown element type 77.'],
    ['a missing weight', edited((p) => p.graph!.initializer.pop()), 'bad-model', '"y" (Add) reads "b", which the file does not contain.'],
    [
      'a cycle',
      edited((p) => (p.graph!.node[0]!.input[1] = 'y')),
      'bad-model',
      'The graph has a cycle: "y" and "m" each wait for the other\'s output.',
    ],
    [
      'a node on itself',
      edited((p) => (p.graph!.node[0]!.input[1] = 'm')),
      'bad-model',
      'The graph has a cycle: "m" reads its own output.',
    ],
    ['two makers', edited((p) => (p.graph!.node[0]!.output[0] = 'y')), 'bad-model', '"m" and "y" both produce "y".'],
    ['an output from nowhere', edited((p) => (p.graph!.output[0]!.name = 'z')), 'bad-model', 'Output "z" is produced by no node.'],
    ['a missing input', edited((p) => p.graph!.node[0]!.input.pop()), 'bad-model', '"m" (Mul) has 1 of its 2 inputs.'],
    ['an input left out', edited((p) => (p.graph!.node[1]!.input[0] = '')), 'bad-model', 'Input 0 of "y" (Add) is missing.'],
    ['no output', edited((p) => (p.graph!.node[0]!.output = [])), 'bad-model', '"m" (Mul) has no output.'],
    [
      'an output without a name',
      edited((p) => (p.graph!.output[0]!.name = p.graph!.node[0]!.output[1] = '')),
      'bad-model',
      'Output "" is produced by no node.',
    ],
    [
      '__proto__ as a value',
      edited((p) => (p.graph!.node[0]!.output[0] = p.graph!.node[1]!.input[0] = '__proto__')),
      'unsupported',
      '"m" (Mul) uses a value called "__proto__".',
    ],
    [
      'far too many nodes',
      edited((p) => p.graph!.node.push(...Array.from({ length: 10_000 }, () => p.graph!.node[1]!))),
      'unsupported',
      'The network has more than 10,000 nodes.',
    ],
    ['no operator', edited((p) => (p.graph!.node[0]!.opType = '')), 'bad-model', 'Node "m" has no operator.'],
    ['opset 6', edited((p) => (p.opsetImport[0]!.version = 6n)), 'unsupported', 'The model uses opset 6; this studio reads 7 to 23.'],
    ['opset 99', edited((p) => (p.opsetImport[0]!.version = 99n)), 'unsupported', 'The model uses opset 99; this studio reads 7 to 23.'],
    ['IR 2', edited((p) => (p.irVersion = 2n)), 'unsupported', 'The model is written for ONNX IR 2; this studio reads 3 to 13.'],
  ])('%s', (_name, file, code, sentence) => {
    expect(refusal(() => parseModel(file))).toEqual([code, sentence]);
  });

  it.each<[string, readonly number[], string]>([
    ['a negative size', [2, -3], 'y (ConstantOfShape): its output would have the size -3.'],
    ['a size beyond memory', [2 ** 40, 4], 'y (ConstantOfShape): its output [1099511627776, 4] would be larger than any memory.'],
  ])('%s that a network computes', (_name, dims, sentence) => {
    const model = makeModel({
      inputs: [],
      outputs: [valueInfo('y', 'float32', null)],
      nodes: [node('ConstantOfShape', ['dims'], ['y'])],
      initializers: [tensor('dims', 'int64', [2], BigInt64Array.from(dims, BigInt))],
    });
    expect(refusal(() => inferShapes(model))).toEqual(['bad-model', sentence]);
  });

  it('subgraphs nested too deep', () => {
    const nest = (depth: number): ModelProto['graph'] =>
      create(GraphProtoSchema, {
        name: `g${depth}`,
        node:
          depth === 0 ? [] : [{ opType: 'If', output: [`o${depth}`], attribute: [{ name: 'then_branch', type: 5, g: nest(depth - 1)! }] }],
      });
    for (const depth of [21, 400])
      expect(refusal(() => parseModel(edited((p) => (p.graph = nest(depth)))))[0]).toMatch(/unsupported|bad-file/);
    expect(parseModel(edited((p) => (p.graph = nest(10)))).graph.nodes).toHaveLength(1);
  });
});

describe('IR versions', () => {
  it('lowers a newer one that uses nothing new, and says so', () => {
    const model = parseModel(edited((p) => (p.irVersion = 14n)));
    expect([model.irVersion, ...model.notes]).toEqual([13, 'Written for ONNX IR 14; lowered to 13, as it uses nothing newer.']);
  });

  it('refuses a newer one with fields it does not know', () => {
    const file = edited((p) => {
      p.irVersion = 14n;
      p.graph!.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];
    });
    expect(refusal(() => parseModel(file))).toEqual([
      'unsupported',
      "The model is written for ONNX IR 14 and uses features newer than IR 13, the last that this studio's runtime reads.",
    ]);
  });
});

describe('external data', () => {
  const data = new Uint8Array(Float32Array.of(9, 1, 2, 3, 4, 9).buffer);
  const w = (model: Model) => Array.from(model.graph.initializers.get('w')!.data as Float32Array);

  it.each(['./w.data', 'w.data', '.\\w.data', '././w.data'])('found as "%s", at an offset', (location) => {
    const model = parseModel(external(location, { offset: '4', length: '16' }), new Map([['w.data', data]]));
    expect(w(model)).toEqual([1, 2, 3, 4]);
  });

  it.each(['folder/w.data', './w.data', 'a\\b\\w.data', 'W.DATA'])('found when given as "%s"', (given) => {
    expect(w(parseModel(external('w.data', { offset: '4' }), new Map([[given, data]])))).toEqual([1, 2, 3, 4]);
  });

  it.each<[string, Uint8Array, ReadonlyMap<string, Uint8Array> | undefined, string, string]>([
    [
      'absent',
      external('./w.data', { offset: '4' }),
      undefined,
      'missing-data',
      'The model keeps its weights in a second file that is not here: "w.data" (20 bytes).',
    ],
    [
      'too short',
      external('w.data'),
      new Map([['w.data', data.subarray(0, 9)]]),
      'bad-file',
      '"w.data" has 9 bytes, tensor "w" needs bytes 0 to 16 of it.',
    ],
    [
      'wrong length',
      external('w.data', { length: '8' }),
      new Map([['w.data', data]]),
      'bad-model',
      'Tensor "w" has 8 bytes of external data, its type and shape need 16.',
    ],
    [
      'odd offset',
      external('w.data', { offset: '-4' }),
      new Map([['w.data', data]]),
      'bad-model',
      'Tensor "w" has "-4" as its external offset.',
    ],
    [
      'outside',
      external('../w.data'),
      undefined,
      'bad-model',
      'The model wants its weights from "../w.data", which is not a file beside it.',
    ],
    [
      'absolute',
      external('/etc/passwd'),
      undefined,
      'bad-model',
      'The model wants its weights from "/etc/passwd", which is not a file beside it.',
    ],
    [
      'drive',
      external('C:\\w.data'),
      undefined,
      'bad-model',
      'The model wants its weights from "C:\\w.data", which is not a file beside it.',
    ],
  ])('%s', (_name, file, files, code, sentence) => {
    expect(refusal(() => parseModel(file, files))).toEqual([code, sentence]);
  });
});

describe('repairs', () => {
  it('sorts nodes and says so', async () => {
    const model = parseModel(edited((p) => p.graph!.node.reverse()));
    expect(model.notes).toEqual(['The nodes were out of order: they have been sorted.']);
    expect(model.graph.nodes.map((n) => n.name)).toEqual(['m', 'y']);
    expect(Array.from((await runModel(model, { x: f32([1, 4], [1, 1, 1, -1]) })).y!.data)).toEqual([1.5, 2.5, 3.5, -3.5]);
  });

  it('moves weights out of the inputs', () => {
    const file = edited((p) => {
      p.irVersion = 3n;
      p.graph!.input.push({ $typeName: 'onnx.ValueInfoProto', name: 'w', docString: '', metadataProps: [] });
    });
    const model = parseModel(file);
    expect(model.graph.inputs.map((i) => i.name)).toEqual(['x']);
    expect(model.notes).toEqual(['1 of 2 inputs are weights: they were moved out of the inputs and count as constants.']);
    expect(fromBinary(ModelProtoSchema, serializeModel(model)).graph!.input.map((i) => i.name)).toEqual(['x']);
  });

  it('names nodes uniquely', () => {
    const model = parseModel(
      edited((p) => {
        for (const n of p.graph!.node) n.name = 'same';
      }),
    );
    expect(model.graph.nodes.map((n) => n.name)).toEqual(['same', 'Add_1']);
    const unnamed = parseModel(
      edited((p) => {
        p.graph!.node[0]!.name = '';
        p.graph!.node[1]!.name = 'Mul_0';
      }),
    );
    expect(unnamed.graph.nodes.map((n) => n.name)).toEqual(['Mul_0_2', 'Mul_0']);
  });
});

describe('typed data', () => {
  it.each<[string, number, object, readonly (number | bigint)[]]>([
    ['float16 bits in int32_data', 10, { int32Data: [15360, 49152, 14336] }, [15360, 49152, 14336]],
    ['bfloat16 in int32_data', 16, { int32Data: [0x3f80, 0xc000, 0x3f00] }, [0x3f80, 0xc000, 0x3f00]],
    ['int8 in int32_data', 3, { int32Data: [-1, 127, -128] }, [-1, 127, -128]],
    ['bool in int32_data', 9, { int32Data: [1, 0, 1] }, [1, 0, 1]],
    ['int64_data', 7, { int64Data: [-1n, 2n ** 62n, 3n] }, [-1n, 2n ** 62n, 3n]],
    ['uint32 in uint64_data', 12, { uint64Data: [1n, 4294967295n, 0n] }, [1, 4294967295, 0]],
    ['float_data', 1, { floatData: [1.5, -2, 0] }, [1.5, -2, 0]],
    ['double_data', 11, { doubleData: [0.1, -2, 0] }, [0.1, -2, 0]],
  ])('%s', (_name, dataType, fields, expected) => {
    const file = edited((p) => {
      p.graph!.initializer.push({
        ...structuredClone(p.graph!.initializer[0]!),
        name: 't',
        dims: [3n],
        rawData: new Uint8Array(),
        dataType,
        ...fields,
      });
    });
    const once = parseModel(file).graph.initializers.get('t')!;
    const twice = parseModel(serializeModel(parseModel(file))).graph.initializers.get('t')!;
    expect(Array.from(once.data as ArrayLike<number | bigint>)).toEqual(expected);
    expect(twice).toEqual(once);
  });
});

describe('hostile bytes', () => {
  it('every mutant ends in a model or a StudioError', () => {
    const random = createRandom(7);
    const original = serializeModel(small());
    const ends: Record<string, number> = {};
    for (let i = 0; i < 400; i++) {
      const file = original.slice(0, random.int(8) === 0 ? random.int(original.length) : original.length);
      const edits = 1 + random.int(4);
      for (let e = 0; e < edits && file.length > 0; e++) file[random.int(file.length)] = random.int(3) === 0 ? 255 : random.int(256);
      const [code] = refusal(() => inferShapes(parseModel(file)));
      ends[code] = (ends[code] ?? 0) + 1;
    }
    expect(Object.values(ends).reduce((a, b) => a + b)).toBe(400);
    expect(ends['bad-file']).toBeGreaterThan(30);
    expect(ends['bad-model']).toBeGreaterThan(15);
    expect(ends.none).toBeGreaterThan(30);
  });

  it.skipIf(!HAS_DATA)('the same for a real model, cut or with changed bytes', () => {
    const random = createRandom(8);
    const original = realModel('mnist_opset7.onnx');
    for (let i = 0; i < 100; i++) {
      const file = original.slice(0, i % 2 === 0 ? random.int(original.length) : original.length);
      for (let e = 0; e < 3; e++) file[random.int(Math.min(file.length, 1 + random.int(file.length)))] = random.int(256);
      expect(refusal(() => inferShapes(parseModel(file)))[0]).toMatch(/^(none|bad-file|bad-model|unsupported|missing-data)$/);
    }
  });
});

describe.skipIf(!HAS_DATA)('case files', () => {
  it.each<[string, string, RegExp]>([
    ['O05_missing.onnx', 'missing-data', /second file that is not here: "nope\.data" \(\d+ bytes\)/],
    ['O08_cycle.onnx', 'bad-model', /has a cycle: ".+" and ".+" each wait/],
    ['O15_empty.onnx', 'bad-file', /empty/],
    ['O15_html404.onnx', 'bad-file', /web page/],
    ['O15_lfs_pointer.onnx', 'bad-file', /Git-LFS pointer/],
    ['O15_tflite.onnx', 'bad-file', /TensorFlow Lite/],
    ['O15_zip_pt.onnx', 'bad-file', /zip archive/],
    ['O15_truncated.onnx', 'bad-file', /cut off/],
  ])('%s is refused', (name, code, sentence) => {
    const [found, message] = refusal(() => parseModel(caseFile(name)));
    expect(found).toBe(code);
    expect(message).toMatch(sentence);
  });

  it.each<[string, readonly number[], readonly number[]]>([
    ['O02_init_in_inputs.onnx', [-1, 0, 1, 2], [-2, 1, 4, 7]],
    ['O05_dotslash.onnx', [-1, 0, 1, 2], [-6, 0, 6, 12]],
    ['O06_fp16_int32data.onnx', [-1, 0, 1], [0, -2, 1.5]],
    ['O08_unsorted.onnx', [-1, 0, 1, 2], [1, 0, 0, 0]],
    ['Q22_clip_empty_min.onnx', [-1, 0, 1, 2], [-1, 0, 1, 2]],
    ['Q15_softmax11_axis1.onnx', [0, 1, 2, 3, 4, 5], [0.00427, 0.0116, 0.0316, 0.0858, 0.2331, 0.6337]],
  ])('%s gives its right values', async (name, input, expected) => {
    const model = parseModel(caseFile(name), new Map([['ext.data', caseFile('ext.data')]]));
    const [first] = model.graph.inputs;
    const result = await runModel(model, { [first!.name]: f32(first!.shape as number[], input) });
    const values = Array.from(Object.values(result)[0]!.data, Number);
    expect(values).toHaveLength(expected.length);
    for (const [i, v] of values.entries()) expect(Math.abs(v - expected[i]!)).toBeLessThan(1e-4);
  });
});
