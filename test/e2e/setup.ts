/** Builds the site once for all end-to-end tests. */
import { resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildSite } from './build';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder of the built site. */
    dist: string;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  await buildSite('production');
  project.provide('dist', resolve('dist'));
}
