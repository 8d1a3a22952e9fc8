import { describe, expect, it } from 'vitest';
import { createWasmEngine } from '../../src/runtime/web';

// In a file of its own: ONNX Runtime keeps the first .wasm that it tried for the life of the page.
describe('a runtime file that the server does not have', () => {
  it('is named by its URL', async () => {
    const url = new URL('/nowhere/ort.wasm', location.href).href;
    await expect(createWasmEngine({ threads: 1, wasmUrl: url })).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringContaining(`The runtime file ${url} is`),
    });
  });
});
