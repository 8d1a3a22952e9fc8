import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Who may import whom, exactly as ARCHITECTURE.md says; numerics is free to all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  numerics: [],
  onnx: [],
  kernels: [],
  site: [],
  runtime: ['onnx', 'kernels', 'site'],
  models: ['onnx'],
  devices: ['onnx'],
  data: [],
  autodiff: ['onnx'],
  training: ['autodiff', 'onnx', 'runtime', 'models', 'data'],
  steps: ['onnx', 'kernels', 'runtime', 'models', 'devices', 'data', 'autodiff', 'training'],
  store: [],
  pipeline: ['steps', 'store'],
  ui: ['pipeline', 'onnx', 'models', 'store', 'site'],
  cli: ['pipeline', 'store', 'data', 'runtime', 'training', 'onnx'],
};

/** Public entries: the index, its bindings to one platform, and a step's declaration (eager, where its code is lazy). */
const ENTRIES = new Set(['index', 'node', 'web', 'meta']);

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === 'gen' ? [] : sources(path);
    return /\.(ts|svelte)$/.test(name) ? [path] : [];
  });
}

function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)].map((m) => m[1]!);
}

/** Complaints about one file, as sentences. */
function violations(file: string): string[] {
  const path = relative('.', file).split(sep).join('/');
  const [, room, sub] = path.split('/') as [string, string, string];
  return imports(file).flatMap((specifier) => {
    const target = posix.normalize(posix.join(dirname(path).split(sep).join('/'), specifier));
    if (!target.startsWith('src/')) return target.startsWith('workers/') && room === 'ui' ? [] : [`${path} imports ${target}, outside src`];
    const [, toRoom, ...rest] = target.split('/') as [string, string, ...string[]];
    const bare = rest.map((part) => part.replace(/\.(ts|js|svelte)$/, ''));
    if (toRoom === room) {
      const otherStep = room === 'steps' && bare.length > 1 && bare[0] !== sub && path.split('/').length > 3;
      return otherStep ? [`${path} imports another step (${target})`] : [];
    }
    if (toRoom !== 'numerics' && !MAY_IMPORT[room]?.includes(toRoom))
      return [`${room} may not import ${toRoom}: ${path} imports ${target}`];
    const inner = toRoom === 'steps' ? bare.slice(1) : bare;
    if (inner.length === 0 || (inner.length === 1 && ENTRIES.has(inner[0]!))) return [];
    return [`${path} imports an inner file (${target})`];
  });
}

describe('rooms', () => {
  const files = sources('src');

  it('import downwards only, and only each other’s public entries', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap(violations)).toEqual([]);
  });

  it('open with a sentence on what lives there', () => {
    const rooms = readdirSync('src').filter((name) => statSync(join('src', name)).isDirectory());
    for (const room of rooms) {
      expect(Object.keys(MAY_IMPORT), `src/${room} has no import rule`).toContain(room);
      if (readdirSync(join('src', room)).length === 0) continue;
      const head = readFileSync(join('src', room, 'index.ts'), 'utf8').slice(0, 600);
      expect(head, `src/${room}/index.ts`).toMatch(/^\/\*\*[\s\S]*[Mm]ay[\s*]+import/);
    }
  });

  it('keep files short enough to read', () => {
    const long = files.map((file) => [file, readFileSync(file, 'utf8').split('\n').length] as const).filter(([, lines]) => lines > 501);
    expect(long).toEqual([]);
  });
});
