/** The generated support tables. `BONSAI_WRITE_SUPPORT=1 npx vitest run --project node test/devices/support.test.ts` rewrites them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DEVICES, deviceTable, supportMarkdown } from '../../src/devices';
import { OP_TYPES } from '../../src/onnx';
import { resolveOptions } from '../../src/steps';
import { quantizeMeta } from '../../src/steps/quantize';

const FILE = fileURLToPath(new URL('../../src/devices/SUPPORT.md', import.meta.url));
/** Without the padding that aligns columns. */
const tight = (text: string) => text.replace(/ +/g, ' ');
const HEAD =
  '# What the devices support\n\nGenerated from the profiles in this folder by `supportMarkdown`; a test keeps it up to date.\n\n';

describe('support tables', () => {
  const text = HEAD + supportMarkdown(Object.values(DEVICES));

  it('SUPPORT.md is up to date', () => {
    if (process.env.BONSAI_WRITE_SUPPORT) writeFileSync(FILE, text);
    expect(readFileSync(FILE, 'utf8')).toBe(text);
  });

  it('has a row for each operator and a column for each device', () => {
    const rows = tight(text)
      .split('\n')
      .filter((line) => OP_TYPES.some((op) => line.startsWith(`| ${op} |`)));
    expect(rows).toHaveLength(OP_TYPES.length);
    for (const line of rows) expect(line.split(' | ')).toHaveLength(1 + Object.keys(DEVICES).length);
    expect(rows).toContain('| Conv | yes V | yes V | yes I | yes I | yes V | yes V |');
  });

  it('says what is not public and how each statement is known', () => {
    const table = tight(deviceTable(DEVICES.hailo8));
    expect(table).toContain('| Weights, scales | not public: both readings are evaluated | I |');
    expect(table).toContain('| 16 bits: command | quantization\\_param([{layers}], precision\\_mode=a16\\_w16) | V |');
    expect(tight(deviceTable(DEVICES.tflite))).toContain('| 16 bits: where | network. 16-bit activations are a mode of the whole network');
  });

  it('every statement has a source, and the quantize options are the step’s own', () => {
    const facts = (value: unknown): { source: string }[] => {
      if (typeof value !== 'object' || value === null) return [];
      if ('mark' in value) return [value as unknown as { source: string }];
      return Object.values(value).flatMap(facts);
    };
    for (const device of Object.values(DEVICES)) {
      const all = facts(device);
      expect(all.length).toBeGreaterThan(OP_TYPES.length + 25);
      for (const { source } of all) expect(source.length).toBeGreaterThan(3);
      expect(() => resolveOptions(quantizeMeta, device.quantizeDefaults.value)).not.toThrow();
    }
  });
});
