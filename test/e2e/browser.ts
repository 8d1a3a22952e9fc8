import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright';
import { CHROMIUM, FLAGS } from './chromium';

/**
 * @param without flags to leave out
 * @param more flags to add
 */
export function launch(without: readonly string[] = [], more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS.filter((flag) => !without.includes(flag)), ...more] });
}

export interface Tab {
  readonly page: Page;
  /** Uncaught errors and console errors of the page, in order. */
  readonly errors: string[];
  close(): Promise<void>;
}

/** A fresh profile with one tab at `url`. */
export async function openTab(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(url);
  return { page, errors, close: () => context.close() };
}
