/** What is drawn: a base network and a few mutations of it. */
import fc from 'fast-check';
import { OP_TYPES } from '../../../src/onnx';
import { BASE_NAMES } from './bases';
import { type AttributeChange, GROWTH_FORMS, type Mutation, type Where } from './mutations';

export interface ModelCase {
  readonly kind: 'model';
  readonly base: string;
  readonly mutations: readonly Mutation[];
  /** Also plan a pruning and write the bundles, which cost more. */
  readonly deep: boolean;
}

const place = fc.nat(1 << 20);
const byte = fc.nat(255);

export const ABSURD = [
  '0',
  '-1',
  '1',
  '2',
  '3',
  '7',
  '64',
  '1000',
  '65535',
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
] as const;
const integer = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ABSURD) },
  { weight: 2, arbitrary: fc.integer({ min: -8, max: 40 }).map(String) },
);

/** Names that scripts, shells, markup, paths and object keys could trip over. */
export const HOSTILE_NAMES = [
  '',
  ' ',
  '__proto__',
  'constructor',
  '../../../etc/passwd',
  '/etc/passwd',
  'C:\\windows\\system32',
  'a\\..\\b',
  'CON',
  'a\u0000b',
  'line\nbreak\r\n',
  '$(touch /tmp/pwned)',
  '`touch /tmp/pwned`',
  '"; import os #',
  '"""',
  "'''",
  '{{x}}',
  '<img src=x onerror=alert(1)>',
  '[a](javascript:alert(1))',
  '\u202eevil',
  '日本😀',
  '\ud800',
  'x'.repeat(5000),
] as const;
const name = fc.constantFrom(...HOSTILE_NAMES);

const ATTRIBUTES = [
  'axis',
  'axes',
  'group',
  'kernel_shape',
  'pads',
  'strides',
  'dilations',
  'perm',
  'keepdims',
  'blocksize',
  'mode',
  'to',
  'value',
  'shape',
  'split',
  'starts',
  'ends',
  'steps',
  'auto_pad',
  'ceil_mode',
  'output_shape',
  'output_padding',
  'transA',
  'transB',
  'alpha',
  'beta',
  'epsilon',
  'scales',
  'sizes',
  'min',
  'max',
  'k',
  'batch_dims',
  'start',
  'end',
  'allowzero',
  'num_outputs',
  'then_branch',
  'body',
  '__proto__',
] as const;

const change: fc.Arbitrary<AttributeChange> = fc.oneof(
  fc.record({ ints: fc.array(integer, { maxLength: 6 }) }),
  fc.record({ int: integer }),
  fc.record({ float: fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('NaN', 'Infinity', '-Infinity')) }),
  fc.record({ floats: fc.array(fc.constantFrom(0, -1, 0.5, 2, 1e30, 1e9), { maxLength: 6 }) }),
  fc.record({ text: fc.oneof(name, fc.constantFrom('SAME_UPPER', 'VALID', 'NOTSET', 'linear', 'reflect', 'not_larger', 'DCR', 'CRD')) }),
  fc.record({ type: fc.integer({ min: 0, max: 15 }) }),
  fc.record({ dims: fc.array(integer, { maxLength: 3 }) }),
);

const where: fc.Arbitrary<Where> = fc.constantFrom('input', 'output', 'valueInfo', 'initializer');
const dims = fc.oneof(
  fc.array(fc.oneof({ weight: 5, arbitrary: integer }, { weight: 1, arbitrary: fc.constantFrom('n', '__proto__', 'h w') }), {
    maxLength: 6,
  }),
  fc.constant(Array.from({ length: 500 }, () => '1')),
);
const element = fc.integer({ min: 0, max: 27 });
const kind = <K extends Mutation['kind']>(value: K) => fc.constant(value);
const listed = fc.constantFrom('node' as const, 'initializer' as const, 'input' as const, 'output' as const);

const bytes = fc.oneof(
  fc.record({ kind: kind('flip'), at: place, bit: fc.nat(7) }),
  fc.record({ kind: kind('cut'), at: place }),
  fc.record({ kind: kind('drop'), at: place, count: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: kind('insert'), at: place, bytes: fc.array(byte, { minLength: 1, maxLength: 12 }) }),
);

const wire = fc.record({
  kind: kind('wire'),
  field: place,
  change: fc.constantFrom('number' as const, 'type' as const, 'length' as const, 'repeat' as const),
  value: fc.nat(15),
});

const graph = fc.oneof(
  fc.record({ kind: kind('dims'), where, item: place, dims }),
  fc.record({ kind: kind('dim'), where, item: place, axis: fc.nat(5), value: integer }),
  fc.record({ kind: kind('dtype'), where, item: place, value: element }),
  fc.record({ kind: kind('data'), item: place, bytes: fc.nat(4096) }),
  { weight: 3, arbitrary: fc.record({ kind: kind('constant'), item: place, at: fc.nat(16), value: integer }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('attribute'), node: place, attribute: fc.nat(8), change }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('set'), node: place, name: fc.constantFrom(...ATTRIBUTES), change }) },
  fc.record({ kind: kind('unset'), node: place, attribute: fc.nat(8) }),
  { weight: 2, arbitrary: fc.record({ kind: kind('edge'), node: place, input: fc.nat(8), to: fc.oneof(place, name) }) },
  fc.record({ kind: kind('arity'), node: place, side: fc.constantFrom('input' as const, 'output' as const), count: fc.nat(6) }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('op'),
      node: place,
      op: fc.oneof({ weight: 4, arbitrary: fc.constantFrom<string[]>(...OP_TYPES) }, { weight: 1, arbitrary: name }),
      domain: fc.constantFrom('', '', '', 'com.microsoft', 'evil'),
    }),
  },
  fc.record({ kind: kind('rename'), what: fc.constantFrom('node' as const, 'value' as const), item: place, name }),
  fc.record({ kind: kind('remove'), what: listed, item: place }),
  fc.record({ kind: kind('repeat'), what: listed, item: place }),
);

const rare = fc.oneof(
  fc.record({
    kind: kind('external'),
    item: place,
    location: fc.oneof(name, fc.constant('weights.bin')),
    offset: fc.constantFrom('0', '-1', '99999999999999999999', 'x', ''),
    length: fc.constantFrom('0', '4', '864', '9007199254740993', 'NaN'),
  }),
  fc.record({
    kind: kind('version'),
    opset: fc.constantFrom('7', '9', '10', '11', '13', '17', '18', '21', '23', '0', '99', '9223372036854775807'),
    ir: fc.constantFrom('3', '4', '8', '13', '14', '0', '-1', '9223372036854775807'),
  }),
  fc.record({
    kind: kind('metadata'),
    key: fc.constantFrom('names', 'bonsai.preprocess', '__proto__', 'classes'),
    value: fc.oneof(
      name,
      fc.constantFrom(
        '{"0":"a","1":"b","2":"c"}',
        '{"4294967295":"a"}',
        '["a","<b>","$(c)"]',
        '{"resize":"x","std":[0,0,0]}',
        '[[[[',
        'null',
        '{"-1":"a"}',
        '{"1e9":"a"}',
        '{"mean":[1e308,0,0],"std":[1e-308,1,1]}',
      ),
    ),
  }),
  fc.record({ kind: kind('unknown'), node: place, field: fc.integer({ min: 100, max: 500 }), bytes: fc.array(byte, { maxLength: 8 }) }),
  fc.record({ kind: kind('nest'), depth: fc.constantFrom(1, 5, 21, 60, 200), width: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    kind: kind('grow'),
    form: fc.constantFrom(...GROWTH_FORMS),
    op: fc.constantFrom(
      'Identity',
      'Relu',
      'Reshape',
      'Add',
      'Mul',
      'Transpose',
      'Sum',
      'Concat',
      'Max',
      'Cast',
      'QuantizeLinear',
      'DequantizeLinear',
      'Shape',
      'NonZero',
      'Sigmoid',
      'If',
      'Nothing',
    ),
    count: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 1, max: 60 }) },
      { weight: 4, arbitrary: fc.constantFrom(1000, 5000) },
      { weight: 1, arbitrary: fc.constantFrom(20_000, 100_000) },
    ),
  }),
);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 2, arbitrary: bytes },
  { weight: 2, arbitrary: wire },
  { weight: 13, arbitrary: graph },
  { weight: 3, arbitrary: rare },
);

const operators = BASE_NAMES.filter((base) => base.startsWith('op:'));
const embedded = BASE_NAMES.filter((base) => base.startsWith('scenes-'));
const others = BASE_NAMES.filter((base) => !operators.includes(base) && !embedded.includes(base));

export const modelCase: fc.Arbitrary<ModelCase> = fc.record({
  kind: fc.constant('model' as const),
  base: fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(...embedded) },
    { weight: 7, arbitrary: fc.constantFrom(...others) },
    { weight: 4, arbitrary: fc.constantFrom(...operators) },
  ),
  mutations: fc.oneof(
    { weight: 2, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.array(mutation, { minLength: 2, maxLength: 4 }) },
  ),
  deep: fc.nat(3).map((n) => n === 0),
});
