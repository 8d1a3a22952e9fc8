/** `npm start`: a whole job talks to nobody else, and could not, even where downloads from the catalog are allowed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright';
import { type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CATALOG } from '../../src/models';
import { launch, openTab, type Tab } from './browser';
import { compress, detects, watchCamera } from './light';
import { fetchFrom, studioWorkers, watchPolicy } from './policy';
import { type StaticServer, serve } from './server';

let site: PreviewServer;
let elsewhere: StaticServer;
let browser: Browser;
let tab: Tab;
let page: Page;
let origin: string;
let violations: () => Promise<readonly string[]>;
const folder = mkdtempSync(join(tmpdir(), 'bonsai-net-'));
const log = join(folder, 'net.json');
const requests: string[] = [];

beforeAll(async () => {
  site = await preview({ configFile: resolve('vite.config.ts'), preview: { port: 0 }, logLevel: 'warn' });
  elsewhere = await serve(inject('dist'), { headers: false, base: '/' });
  browser = await launch([], [`--log-net-log=${log}`]);
  tab = await openTab(browser, 'about:blank');
  page = tab.page;
  page.context().on('request', (request) => requests.push(request.url()));
  violations = await watchPolicy(page);
  const url = site.resolvedUrls!.local[0]!;
  origin = new URL(url).origin;
  await page.goto(url);
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
  await elsewhere?.close();
  rmSync(folder, { recursive: true });
});

interface NetLog {
  readonly events: readonly { readonly params?: { readonly url?: string; readonly initiator?: string } }[];
}

describe('npm start', () => {
  it('does a whole job without a request to anybody else, its own style included', async () => {
    await detects(page);
    await page.getByRole('tab', { name: 'Library' }).click();
    const allow = page.getByRole('switch', { name: 'Allow downloads from huggingface.co' });
    await allow.click();
    expect(await allow.getAttribute('aria-checked')).toBe('true');
    await page.getByRole('tab', { name: 'Results' }).click();
    await watchCamera(page);
    await page.getByRole('button', { name: 'Scenes' }).click();
    expect(Object.keys(await compress(page))).toContain('model.qdq.onnx');
    for (const opener of ['What this device does', 'Recipe as JSON']) {
      await page.getByRole('button', { name: opener }).click();
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
    }
    for (const name of await page.getByRole('tab').allTextContents()) await page.getByRole('tab', { name, exact: true }).click();
    expect(requests.length).toBeGreaterThan(5);
    expect(requests.filter((url) => !url.startsWith('blob:') && new URL(url).origin !== origin)).toEqual([]);
    expect(await violations()).toEqual([]);
    expect(tab.errors).toEqual([]);
  });

  it.each([
    ['another server', () => elsewhere.url],
    ['the catalog’s host', () => CATALOG[0]!.url],
  ])('is refused when page or worker try %s', async (_, address) => {
    const url = address();
    const before = (await violations()).length;
    expect(await fetchFrom(page, url)).toBe('TypeError: Failed to fetch');
    // Once by the page's own policy, once by the header.
    expect((await violations()).slice(before)).toEqual(Array(2).fill(`connect-src ${url}`));
    expect(studioWorkers(page).length).toBeGreaterThan(1);
    for (const worker of studioWorkers(page)) expect(await fetchFrom(worker, url), worker.url()).toBe('TypeError: Failed to fetch');
  });

  it('is refused where a picture tries', async () => {
    await page.evaluate((url) => Object.assign(new Image(), { src: `${url}icon.svg` }), elsewhere.url);
    await expect.poll(violations).toContain(`img-src ${elsewhere.url}icon.svg`);
    expect(elsewhere.requests).toEqual([]);
  });

  it('and the browser’s own log of the network says the same', async () => {
    await browser.close();
    const { events } = JSON.parse(readFileSync(log, 'utf8')) as NetLog;
    const asked = events.flatMap(({ params }) => (params?.url && params.initiator === origin ? [new URL(params.url).origin] : []));
    expect(asked.length).toBeGreaterThan(5);
    expect(new Set(asked)).toEqual(new Set([origin]));
  });
});
