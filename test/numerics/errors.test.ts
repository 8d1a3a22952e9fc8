import { expect, it } from 'vitest';
import { readableText, StudioError } from '../../src/numerics';

it('keeps a sentence as it was written', () => {
  const error = new StudioError('bad-model', 'Concat_12: inputs differ on axis 2 (40, 41) – “日本” 😀.', 'Export with fixed sizes.');
  expect([error.message, error.hint]).toEqual(['Concat_12: inputs differ on axis 2 (40, 41) – “日本” 😀.', 'Export with fixed sizes.']);
});

it('shows names from files on one line, nothing invisible, none longer than the sentence', () => {
  expect(readableText('"a\nb\u0000\u202ec\ud800"')).toBe('"a�b��c�"');
  const message = new StudioError('bad-model', `"${'x'.repeat(5000)}" is damaged.`, 'Choose another.').message;
  expect(message).toBe(`"${'x'.repeat(50)}…${'x'.repeat(10)}" is damaged.`);
  const shape = new StudioError('bad-model', `The shape [${Array.from({ length: 1000 }, () => 1).join(', ')}] is wrong.`, 'Choose another.')
    .message;
  expect(shape).toMatch(/^The shape \[1, 1,.* … .*1\] is wrong\.$/);
  expect(shape.length).toBeLessThanOrEqual(400);
});
