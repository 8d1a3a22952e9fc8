import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** Cross-origin isolation: without it there is no SharedArrayBuffer, so WASM has one thread. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Lists the build's files for the service worker, which keeps them for offline use. */
function precacheList(): Plugin {
  let folder = '';
  return {
    name: 'bonsai-precache-list',
    apply: 'build',
    configResolved: (config) => {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const files = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !['sw.js', 'precache.json'].includes(entry.name))
        .map((entry) =>
          join(entry.parentPath, entry.name)
            .slice(folder.length + 1)
            .replaceAll('\\', '/'),
        );
      writeFileSync(join(folder, 'precache.json'), JSON.stringify(['./', ...files.sort()]));
    },
  };
}

export default defineConfig({
  base: './',
  publicDir: 'static',
  plugins: [svelte(), precacheList()],
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
