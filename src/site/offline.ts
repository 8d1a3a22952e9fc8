/** The site in a folder: its policy, and what its service worker has to know. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Plugin } from 'vite';
import { CATALOG_POLICY, CATALOG_WORKER, policyOf, SITE_CACHE, SITE_POLICY } from './index.ts';

/** What static/sw.js has in percent signs. */
const WORDS = { CACHE: SITE_CACHE, POLICY: SITE_POLICY, CATALOG_POLICY, CATALOG_WORKER: CATALOG_WORKER.source };

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
      const script = Object.entries(WORDS).reduce(
        (text, [word, value]) => text.replace(`%${word}%`, () => value),
        readFileSync(worker, 'utf8'),
      );
      writeFileSync(worker, script);
      const kept = filesOf(folder).filter((file) => !['sw.js', 'precache.json'].includes(file));
      writeFileSync(join(folder, 'precache.json'), JSON.stringify(['./', ...kept]));
    },
  };
}

/** `npm start`: every file with its policy. */
export function policyHeaders(): Plugin {
  return {
    name: 'bonsai-policy-headers',
    configurePreviewServer({ middlewares }) {
      middlewares.use(({ url = '/' }, response, next) => {
        response.setHeader('Content-Security-Policy', policyOf(new URL(url, 'http://localhost').pathname));
        next();
      });
    },
  };
}
