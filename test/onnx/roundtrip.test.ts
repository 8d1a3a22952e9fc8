import { describe, expect, it } from 'vitest';
import { parseModel, serializeModel } from '../../src/onnx';
import { maxDifference, randomFeeds, runBytes } from './ort';
import { HAS_DATA, modelNames, realModel, smallSize } from './real';

describe.skipIf(!HAS_DATA)('real models', () => {
  it.each(modelNames())('%s runs bit-equal after parse and serialize', async (name) => {
    const bytes = realModel(name);
    const model = parseModel(bytes);
    const again = serializeModel(model);
    const feeds = randomFeeds(model, smallSize);
    expect(maxDifference(await runBytes(bytes, feeds), await runBytes(again, feeds))).toBe(0);
    expect(Buffer.compare(serializeModel(parseModel(again)), again)).toBe(0);
    expect(Buffer.compare(serializeModel(structuredClone(model)), again)).toBe(0);
  });
});
