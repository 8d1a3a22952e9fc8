import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { launch, openTab } from './browser';
import { serve } from './server';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

const isolated = (page: Page) => page.evaluate(() => crossOriginIsolated);

/** 'navigate', or 'reload' where the page has loaded itself again. */
const arrival = (page: Page) => page.evaluate(() => (performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming).type);

/** Waits until the detector has found something in a scene. */
async function detects(page: Page): Promise<void> {
  await page
    .getByTestId('detections-original')
    .filter({ hasText: /[1-9]\d* detections?/ })
    .waitFor({ timeout: 60_000 });
}

const offlineReady = (page: Page) => page.locator('html[data-offline="ready"]').waitFor({ state: 'attached', timeout: 60_000 });

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
    await offlineReady(page);
    expect(errors).toEqual([]);
    await server.close();
    await worksWithoutHost(page);
    await close();
  });

  it('without headers, under a path: isolated after one reload, and there again when the host is gone', async () => {
    const server = await serve(inject('dist'), { headers: false, base: '/people/bonsai/' });
    const { page, close } = await openTab(browser, server.url);
    await page.waitForFunction(() => crossOriginIsolated, undefined, { timeout: 60_000 });
    await detects(page);
    await offlineReady(page);
    expect(await arrival(page)).toBe('reload');
    await server.close();
    await worksWithoutHost(page);
    await close();
  });

  it('without headers and service workers: one thread, and it says why', async () => {
    const server = await serve(inject('dist'), { headers: false, base: '/' });
    const { page, close } = await openTab(browser, server.url, { serviceWorkers: 'block' });
    await detects(page);
    expect(await isolated(page)).toBe(false);
    expect(await page.getByTestId('engine').textContent()).toContain('1 thread');
    await page.getByText('1 thread: page is not cross-origin isolated').waitFor();
    expect(await arrival(page)).toBe('navigate');
    await close();
    await server.close();
  });
});
