import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, inject, it } from 'vitest';

const LIMIT_KB = 200;

/** Scripts that the page loads before it does anything: those it names, and what they import. */
function scriptsOf(folder: string): ReadonlyMap<string, Buffer> {
  const html = readFileSync(join(folder, 'index.html'), 'utf8');
  const queue = [...html.matchAll(/<(?:script|link rel="modulepreload")[^>]*(?:src|href)="([^"]+\.js)"/g)].map((m) => join(folder, m[1]!));
  const found = new Map<string, Buffer>();
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (found.has(file)) continue;
    const bytes = readFileSync(file);
    found.set(file, bytes);
    const imports = bytes.toString().matchAll(/(?:^|[;}])(?:import|export)\b[^'"`;()]*["'`](\.[^'"`]+)["'`]/g);
    for (const [, path] of imports) queue.push(join(dirname(file), path!));
  }
  return found;
}

describe('the built page', () => {
  it(`loads at most ${LIMIT_KB} kB of JavaScript, compressed, before the runtime`, () => {
    const scripts = scriptsOf(inject('dist'));
    const kB = [...scripts.values()].reduce((sum, bytes) => sum + gzipSync(bytes).length, 0) / 1000;
    console.log(`Initial JavaScript: ${kB.toFixed(1)} kB compressed in ${scripts.size} file${scripts.size === 1 ? '' : 's'}.`);
    expect(scripts.size).toBeGreaterThan(0);
    expect(kB).toBeGreaterThan(20);
    expect(kB).toBeLessThanOrEqual(LIMIT_KB);
  });
});
