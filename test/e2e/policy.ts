import type { Page, Worker } from 'playwright';

/**
 * Records what the page's Content-Security-Policy refuses, from the next load on.
 * @returns reads them, as "directive address"
 */
export async function watchPolicy(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.addInitScript(() => {
    const refused: string[] = [];
    Object.assign(window, { refused });
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
      refused.push(`${effectiveDirective} ${blockedURI}`),
    );
  });
  return () => page.evaluate(() => (window as unknown as { refused: string[] }).refused);
}

/** The page's workers that answer: the runtime's threads sleep when they have nothing to do. */
export const studioWorkers = (page: Page): Worker[] => page.workers().filter((worker) => !/\/ort\./.test(worker.url()));

/** What comes of a request that the page or one of its workers makes, as text. */
export const fetchFrom = (scope: Page | Worker, url: string): Promise<string> =>
  // Both have the same method, but its overloads have no common type.
  (scope as Page).evaluate((address: string) => fetch(address, { mode: 'no-cors' }).then(String, String), url);
