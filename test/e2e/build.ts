import { resolve } from 'node:path';
import { build } from 'vite';

/** As `npm run build` or, for 'single', `npm run build:single` do. */
export async function buildSite(mode: 'production' | 'single'): Promise<void> {
  // Vitest sets "test", which would build a page for development, without a service worker.
  const environment = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    await build({ configFile: resolve('vite.config.ts'), mode, logLevel: 'warn' });
  } finally {
    process.env.NODE_ENV = environment;
  }
}
