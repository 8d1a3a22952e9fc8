import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CATALOG_WORKER, policyOf } from '../../src/site';
import { launch, openTab } from './browser';
import { detects } from './light';
import { fetchFrom, studioWorkers } from './policy';
import { type StaticServer, serve } from './server';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

const isolated = (page: Page) => page.evaluate(() => crossOriginIsolated);

/** 'navigate', or 'reload' where the page has loaded itself again. */
const arrival = (page: Page) => page.evaluate(() => (performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming).type);

const offlineReady = (page: Page) => page.locator('html[data-offline="ready"]').waitFor({ state: 'attached', timeout: 60_000 });

/** The policy that the page gets with a file. */
const policyHeader = (page: Page, path: string) =>
  page.evaluate(async (file) => (await fetch(file)).headers.get('Content-Security-Policy'), path);

/** How often each file of WebAssembly was fetched: the runtime once for all, and none twice. */
function wasmFetches({ requests }: StaticServer): void {
  const fetched = requests.filter((path) => path.endsWith('.wasm'));
  expect(fetched).toEqual([...new Set(fetched)]);
  expect(fetched.filter((path) => /ort-wasm-simd-threaded-[^.]*\.wasm$/.test(path))).toHaveLength(1);
}

/** A second worker loads the runtime. */
async function startAJob(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Compress for Hailo-8' }).click();
  await page
    .getByText(/\d+\/\d+/)
    .first()
    .waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Compress for Hailo-8' }).waitFor();
}

/** Reloads with the host gone: the page must come back, isolated, and detect. */
async function worksWithoutHost(page: Page): Promise<void> {
  await page.reload();
  await detects(page);
  expect(await isolated(page)).toBe(true);
  expect(await page.getByTestId('engine').textContent()).toMatch(/[2-9] threads/);
}

describe('the built site', () => {
  it('with isolation headers: isolated at once, and there again when the host is gone', async () => {
    const server = await serve(inject('dist'), { headers: true, base: '/' });
    const { page, errors, close } = await openTab(browser, server.url);
    await detects(page);
    expect(await isolated(page)).toBe(true);
    expect(await arrival(page)).toBe('navigate');
    await startAJob(page);
    await offlineReady(page);
    expect(errors).toEqual([]);
    wasmFetches(server);
    await server.close();
    await worksWithoutHost(page);
    await close();
  });

  it('without headers, under a path: isolated after one reload, nothing fetched twice, and there again when the host is gone', async () => {
    const server = await serve(inject('dist'), { headers: false, base: '/a/b/' });
    const { page, errors, close } = await openTab(browser, server.url);
    await page.waitForFunction(() => crossOriginIsolated, undefined, { timeout: 60_000 });
    await detects(page);
    await offlineReady(page);
    expect(await arrival(page)).toBe('reload');
    wasmFetches(server);
    // The host sends no policy; the service worker does.
    const elsewhere = await serve(inject('dist'), { headers: true, base: '/' });
    expect(studioWorkers(page).length).toBeGreaterThan(1);
    for (const worker of studioWorkers(page)) expect(await fetchFrom(worker, elsewhere.url)).toBe('TypeError: Failed to fetch');
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.close();
    const scripts = readdirSync(join(inject('dist'), 'assets')).filter((name) => /^(catalog|step)-/.test(name));
    expect(scripts.map((name) => CATALOG_WORKER.test(`/assets/${name}`)).sort()).toEqual([false, true]);
    for (const name of scripts) expect(await policyHeader(page, `assets/${name}`), name).toBe(policyOf(`/assets/${name}`));
    await server.close();
    await worksWithoutHost(page);
    expect(errors).toEqual([]);
    await close();
  });

  it('without headers and service workers: one thread, and it says why; the runtime is fetched once for all workers', async () => {
    const server = await serve(inject('dist'), { headers: false, base: '/' });
    const { page, close } = await openTab(browser, server.url, { serviceWorkers: 'block' });
    await detects(page);
    expect(await isolated(page)).toBe(false);
    expect(await page.getByTestId('engine').textContent()).toContain('1 thread');
    await page.getByText('1 thread: page is not cross-origin isolated').waitFor();
    expect(await arrival(page)).toBe('navigate');
    await startAJob(page);
    wasmFetches(server);
    await close();
    await server.close();
  });
});
