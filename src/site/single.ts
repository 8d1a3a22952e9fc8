/**
 * `npm run build:single`: the whole site in one HTML file for a USB stick. Page and styles stand in it as they are; models,
 * workers and WebAssembly lie behind them as islands of text (gzip, base64) that are unpacked after the first paint.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Plugin, transformWithOxc, type UserConfig } from 'vite';
import { singlePolicy } from './policy.ts';

const FILE = 'bonsai-studio.html';
/** The WebGPU runtime of browsers without JSPI; it would make the file two thirds larger. */
const LEFT_OUT = /onnxruntime-web\/ort-wasm-simd-threaded\.asyncify\.wasm\?url$/;
const NOTHING = '\0left-out';
const WORKER = /\bnew Worker\(\s*(new URL\(\s*'[^']+',\s*import\.meta\.url\s*\)),\s*\{\s*type: 'module',\s*name: '([\w-]+)',?\s*\},?\s*\)/g;

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript',
  json: 'application/json',
  onnx: 'application/octet-stream',
  wasm: 'application/wasm',
};

/** In page and workers: workers are classic ones (a blob can't be a module there) and are given the files. */
function packWorkers(): Plugin {
  return {
    name: 'bonsai-pack-workers',
    enforce: 'pre',
    resolveId: (id) => (LEFT_OUT.test(id) ? NOTHING : undefined),
    load: (id) => (id === NOTHING ? 'export default "";' : undefined),
    transform(code, id) {
      if (id.includes('node_modules') || !code.includes('new Worker(')) return;
      const packed = code.replace(WORKER, "globalThis.bonsaiParts.equip(new Worker($1, { name: '$2' }))");
      if (/(?<!equip\()new Worker\(/.test(packed)) this.error(`${id} starts a worker in a way that the single file can't.`);
      return { code: packed, map: null };
    },
  };
}

/** The same in strings, templates and regular expressions, without what ends a script element early; elsewhere no longer code. */
const inlineScript = (code: string) => code.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\x21--');

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

function island(name: string, bytes: string | Uint8Array): string {
  const type = TYPES[name.split('.').at(-1)!];
  if (!type) throw new Error(`${name}: a part of the single file of unknown type.`);
  const text = gzipSync(bytes, { level: 9 }).toString('base64');
  return `<script type="text/plain" data-part="${name}" data-type="${type}">${text}</script>\n`;
}

/** A worker runs when it was given the files, not before. */
async function packedWorker(code: string, root: string): Promise<string> {
  const source = join(root, 'src/site/parts.ts');
  const { code: parts } = await transformWithOxc(readFileSync(source, 'utf8'), source);
  return `${parts.replace('export ', '')}
addEventListener('message', ({ data }) => {
globalThis.bonsaiParts = openParts(data);
${code}
}, { once: true });`;
}

const config: UserConfig = {
  publicDir: false,
  resolve: { alias: { 'onnxruntime-web/webgpu': 'onnxruntime-web/jspi' } },
  worker: { format: 'iife', plugins: () => [packWorkers()], rolldownOptions: { output: { codeSplitting: false } } },
  experimental: {
    renderBuiltUrl: (name, { hostType }) => (hostType === 'js' ? { runtime: `globalThis.bonsaiParts.url(${JSON.stringify(name)})` } : name),
  },
  build: {
    outDir: 'dist-single',
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: { output: { codeSplitting: false } },
  },
};

export function singleFile(publicDir: string): Plugin[] {
  let root = '';
  const publicFile = (path: string) => readFileSync(join(root, publicDir, path));
  const models = () => readdirSync(join(root, publicDir, 'models')).map((file) => posix.join('models', file));

  const pack: Plugin = {
    name: 'bonsai-single-file',
    enforce: 'post',
    config: () => config,
    configResolved(resolved) {
      root = resolved.root;
    },
    async generateBundle(_, bundle) {
      let script = '';
      let style = '';
      let islands = '';
      for (const output of Object.values(bundle)) {
        const { fileName } = output;
        if (output.type === 'chunk') script += inlineScript(output.code.trim());
        else if (fileName.endsWith('.css')) style += output.source;
        else if (fileName.endsWith('.js')) islands += island(fileName, await packedWorker(String(output.source), root));
        else if (!fileName.endsWith('.html')) islands += island(fileName, output.source);
        delete bundle[fileName];
      }
      this.parse(script);
      for (const model of models()) islands += island(model, publicFile(model));
      const policy = singlePolicy(hashOf(script), hashOf(style));
      const icon = `data:image/svg+xml;base64,${publicFile('icon.svg').toString('base64')}`;
      const source = readFileSync(join(root, 'index.html'), 'utf8')
        .replace(/<link rel="manifest"[^>]*>\s*/, '')
        .replace('<head>', () => `<head>\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`)
        .replace('./icon.svg', () => icon)
        .replace('</head>', () => `<style>${style}</style>\n  </head>`)
        // Async: the page stands before the islands are read.
        .replace(/<script type="module".*<\/script>/, () => `<script type="module" async>${script}</script>\n${islands}`);
      this.emitFile({ type: 'asset', fileName: FILE, source });
    },
  };
  const apply: Plugin['apply'] = (_, { command, mode }) => command === 'build' && mode === 'single';
  return [packWorkers(), pack].map((plugin) => ({ ...plugin, apply }));
}
