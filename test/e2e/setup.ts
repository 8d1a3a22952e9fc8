/** Builds the site once for all end-to-end tests. */
import { resolve } from 'node:path';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder of the built site. */
    dist: string;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  // Vitest sets "test", which would build a page for development, without a service worker.
  const mode = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    await build({ configFile: resolve('vite.config.ts'), mode: 'production', logLevel: 'warn' });
  } finally {
    process.env.NODE_ENV = mode;
  }
  project.provide('dist', resolve('dist'));
}
