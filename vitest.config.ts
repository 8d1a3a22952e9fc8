import { playwright } from '@vitest/browser-playwright';
import { defineConfig, mergeConfig } from 'vitest/config';
import { CHROMIUM, FLAGS } from './test/e2e/chromium.ts';
import viteConfig from './vite.config.ts';

/** `*.node.test.ts` and `*.test.ts` run in Node, `*.browser.test.ts` in Chromium; `*.test.ts` named both.test.ts in both. */
export default mergeConfig(
  viteConfig,
  defineConfig({
    test: {
      projects: [
        {
          extends: true,
          test: {
            name: 'node',
            include: ['test/**/*.test.ts'],
            exclude: ['test/**/*.browser.test.ts', 'test/e2e/**'],
            setupFiles: ['test/node-setup.ts'],
            // One thread each, so two cores are used; what drives a browser uses several and runs alone, afterwards.
            maxWorkers: 2,
            sequence: { groupOrder: 0 },
            testTimeout: 240_000,
            hookTimeout: 240_000,
          },
        },
        {
          extends: true,
          test: {
            name: 'browser',
            include: ['test/**/*.browser.test.ts', 'test/**/*.both.test.ts'],
            setupFiles: ['test/browser-setup.ts'],
            sequence: { groupOrder: 1 },
            testTimeout: 120_000,
            browser: {
              enabled: true,
              headless: true,
              // Its page stays open to the end, and is drawn for nobody.
              ui: false,
              screenshotFailures: false,
              instances: [{ browser: 'chromium' }],
              provider: playwright({
                launchOptions: { executablePath: CHROMIUM, args: FLAGS },
              }),
            },
          },
        },
        {
          extends: true,
          test: {
            name: 'e2e',
            include: ['test/e2e/**/*.test.ts'],
            globalSetup: ['test/e2e/setup.ts'],
            testTimeout: 240_000,
            hookTimeout: 240_000,
            fileParallelism: false,
            sequence: { groupOrder: 2 },
          },
        },
      ],
    },
  }),
);
