import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { offlineSite, policyHeaders, singleFile } from './src/site/node.ts';

/** Cross-origin isolation: without it there is no SharedArrayBuffer, so WASM has one thread. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** `vite build` makes a folder of the site, `vite build --mode single` one file. */
export default defineConfig({
  base: './',
  publicDir: 'static',
  plugins: [svelte(), offlineSite(), policyHeaders(), singleFile('static')],
  worker: { format: 'es' },
  server: { headers },
  preview: { headers },
  build: { target: 'es2022', chunkSizeWarningLimit: 1500 },
  // Found late, these would make the dev server reload the page in the middle of a run.
  optimizeDeps: {
    include: [
      'onnxruntime-web/wasm',
      'onnxruntime-web/webgpu',
      'onnxruntime-web/jspi',
      'comlink',
      'idb',
      'jpeg-js',
      '@jsquash/jpeg/decode.js',
      '@jsquash/png/decode.js',
    ],
  },
});
