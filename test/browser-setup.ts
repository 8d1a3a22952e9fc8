import { beforeAll } from 'vitest';

/** The browser project is worthless without these two: fail, never skip. */
beforeAll(async () => {
  if (!globalThis.crossOriginIsolated)
    throw new Error('The test page is not cross-origin isolated: check server.headers in vite.config.ts.');
  if (!(await navigator.gpu?.requestAdapter())) throw new Error('WebGPU is missing: check the Chromium flags in vitest.config.ts.');
});
