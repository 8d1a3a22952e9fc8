/** `npm test`: finds or installs a browser, runs every test project, ends with one line `N passed, N failed[, N skipped]`. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { findBrowser } from '../src/cli';

const require = createRequire(import.meta.url);

function run(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** A browser's path: one that is there, else one from apt (as root, where allowed), else Playwright's download. */
function browser(): string {
  const found = findBrowser();
  if (found) {
    console.log(found.how);
    return found.path;
  }
  if (process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.log('No Chrome or Chromium was found: installing Debian’s chromium with apt-get.');
    if (run('apt-get', ['update', '-qq']) && run('apt-get', ['install', '-y', '-qq', 'chromium'])) {
      const installed = findBrowser();
      if (installed) return installed.path;
    }
  }
  console.log('No Chrome or Chromium was found: downloading Playwright’s Chromium.');
  const cli = join(dirname(require.resolve('playwright/package.json')), 'cli.js');
  if (run(process.execPath, [cli, 'install', 'chromium'])) {
    const path = spawnSync(process.execPath, ['-e', 'console.log(require("playwright").chromium.executablePath())'], { encoding: 'utf8' });
    if (existsSync(path.stdout.trim())) return path.stdout.trim();
  }
  console.error('No browser could be found or installed. Install Chrome or Chromium, or set CHROMIUM to its path, and run npm test again.');
  process.exit(1);
}

const data = process.env.BONSAI_DATA ?? (existsSync('../shared/data') ? resolve('../shared/data') : '');
console.log(data ? `Real models and images are read from ${data}.` : 'BONSAI_DATA is not set: tests on real models are skipped.');

const report = join(mkdtempSync(join(tmpdir(), 'bonsai-test-')), 'report.json');
const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
const args = [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)];
const result = spawnSync(process.execPath, args, {
  stdio: 'inherit',
  env: { ...process.env, CHROMIUM: browser(), ...(data ? { BONSAI_DATA: data } : {}) },
});

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}
if (!existsSync(report)) {
  console.error('The test runner ended before it wrote its report.');
  process.exit(1);
}
const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8')) as Report;
rmSync(dirname(report), { recursive: true });
const failed = numFailedTests || (result.status === 0 ? 0 : 1);
console.log(`${numPassedTests} passed, ${failed} failed${numPendingTests ? `, ${numPendingTests} skipped` : ''}`);
process.exit(failed ? 1 : 0);
