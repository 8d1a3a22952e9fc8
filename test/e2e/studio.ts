/** One page on the served studio for a file of tests, opened when its embedded detector detects. */
import type { Browser } from 'playwright';
import { afterAll, beforeAll, inject } from 'vitest';
import { launch, openTab, type Tab } from './browser';
import { type StaticServer, serve } from './server';

/**
 * @param opened takes the tab before the first test
 * @param at what the page's address ends in, and the browser's language
 */
export function withStudio(
  opened: (tab: Tab) => void,
  { hash = '', locale }: { readonly hash?: string; readonly locale?: string } = {},
): void {
  let server: StaticServer;
  let browser: Browser;
  beforeAll(async () => {
    server = await serve(inject('dist'), { headers: true, base: '/' });
    browser = await launch();
    const tab = await openTab(browser, `${server.url}${hash}`, { reducedMotion: 'reduce', locale });
    opened(tab);
    await tab.page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
}
