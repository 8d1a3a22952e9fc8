/** The single file, opened as from a USB stick. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CATALOG } from '../../src/models';
import { launch, openTab, type Tab } from './browser';
import { buildSite } from './build';
import { compress, detects, watchCamera } from './light';
import { fetchFrom, watchPolicy } from './policy';
import { serve } from './server';

const ADDRESS = pathToFileURL(resolve('dist-single/bonsai-studio.html')).href;

let browser: Browser;
let tab: Tab;
let requests: string[];
let violations: () => Promise<readonly string[]>;

beforeAll(async () => {
  await buildSite('single');
  browser = await launch();
  tab = await openTab(browser, 'about:blank');
  requests = [];
  tab.page.on('request', (request) => requests.push(request.url()));
  violations = await watchPolicy(tab.page);
  await tab.page.addInitScript(() => {
    const state = { mounted: '' };
    Object.assign(window, { state });
    new MutationObserver((_, observer) => {
      if (!document.querySelector('main')) return;
      state.mounted = document.readyState;
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  });
});
afterAll(() => browser?.close());

describe('the single file', () => {
  it('opens by double click and detects; the page stands before the rest of the file is read', async () => {
    const { page } = tab;
    await page.goto(ADDRESS);
    await detects(page);
    expect(await page.getByTestId('engine').textContent()).toMatch(/^WASM, 1 thread/);
    expect(await page.evaluate(() => (window as unknown as { state: { mounted: string } }).state.mounted)).toBe('loading');
    expect(await page.evaluate(() => indexedDB.databases().then((all) => all.length))).toBeGreaterThan(0);
  });

  it('shows what the network sees in the camera', async () => {
    await watchCamera(tab.page);
    await tab.page.getByRole('button', { name: 'Scenes' }).click();
  });

  it('compresses, and makes a bundle', async () => {
    const files = await compress(tab.page);
    for (const name of ['model.onnx', 'model.qdq.onnx', 'calib_set.npy', 'compile.py', 'recipe.json'])
      expect(Object.keys(files)).toContain(name);
  });

  it('says that its catalog can’t download, and leads to the files', async () => {
    const { page } = tab;
    await page.getByRole('button', { name: 'or from the catalog' }).click();
    await page.getByText(/^The single file can’t download: save a release file/).waitFor();
    const catalog = page.getByRole('list', { name: 'Catalog' });
    expect(await catalog.getByRole('link').evaluateAll((links) => links.map((a) => (a as HTMLAnchorElement).href))).toEqual(
      CATALOG.map(({ release }) => release),
    );
    expect(await catalog.getByRole('button').count()).toBe(0);
    expect(await page.getByRole('switch', { name: /huggingface/ }).count()).toBe(0);
  });

  it('fetches nothing but itself, and its policy had nothing to refuse', async () => {
    expect(requests.filter((url) => !/^(blob|data):/.test(url))).toEqual([ADDRESS]);
    expect(await violations()).toEqual([]);
    expect(tab.errors).toEqual([]);
    const elsewhere = await serve(inject('dist'), { headers: false, base: '/' });
    for (const scope of [tab.page, ...tab.page.workers()]) expect(await fetchFrom(scope, elsewhere.url)).toBe('TypeError: Failed to fetch');
    expect(await violations()).toEqual([`connect-src ${elsewhere.url}`]);
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.close();
  });
});
