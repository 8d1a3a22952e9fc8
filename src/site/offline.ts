/** The site in a folder: its policy, and what its service worker has to know. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Plugin } from 'vite';
import { SITE_CACHE, SITE_POLICY } from './index.ts';

/** The policy goes first, so that it holds for everything behind it. */
export const policyTag = (content: string) => ({
  tag: 'meta',
  attrs: { 'http-equiv': 'Content-Security-Policy', content },
  injectTo: 'head-prepend' as const,
});

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll(sep, '/'),
    )
    .sort();
}

/** Writes the policy into the page and the service worker, and lists the files that the latter keeps for offline use. */
export function offlineSite(): Plugin {
  let folder = '';
  return {
    name: 'bonsai-offline-site',
    apply: (_, { command, mode }) => command === 'build' && mode !== 'single',
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
    },
    transformIndexHtml: () => [policyTag(SITE_POLICY)],
    closeBundle() {
      const worker = join(folder, 'sw.js');
      writeFileSync(worker, readFileSync(worker, 'utf8').replace('%CACHE%', SITE_CACHE).replace('%POLICY%', SITE_POLICY));
      const kept = filesOf(folder).filter((file) => !['sw.js', 'precache.json'].includes(file));
      writeFileSync(join(folder, 'precache.json'), JSON.stringify(['./', ...kept]));
    },
  };
}
