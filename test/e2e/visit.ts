/**
 * A visit with clicks and keys while the main thread is watched: how long its tasks take, by the clock and by the CPU time
 * they use themselves, and how long the page takes to answer. By the clock includes waiting for a core: the job uses all.
 */
import type { CDPSession, Page } from 'playwright';

export interface Watched {
  /** Tasks over 50 ms by the clock, ms. */
  readonly tasks: readonly number[];
  /** CPU time of tasks that used more than 10 ms, ms. */
  readonly cpu: readonly number[];
  /** From a click or a key to the next picture, ms; 16 for those that took less. */
  readonly answers: readonly number[];
}

/** Takes the three kinds of figures over the life of a page. */
export class Watch {
  readonly #runs: { readonly ts: number; readonly thread: string; readonly ms: number }[] = [];
  readonly #marks = new Map<string, { readonly ts: number; readonly thread: string }>();

  private constructor(
    private readonly page: Page,
    private readonly session: CDPSession,
  ) {}

  static async begin(page: Page): Promise<Watch> {
    await page.evaluate(() => {
      const seen = { tasks: [] as [number, number][], events: [] as [number, number, number][] };
      Object.assign(window, { seen });
      new PerformanceObserver((list) => {
        for (const { startTime, duration } of list.getEntries()) seen.tasks.push([startTime, duration]);
      }).observe({ type: 'longtask' });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as PerformanceEventTiming[])
          if (entry.interactionId) seen.events.push([entry.startTime, entry.duration, entry.interactionId]);
      }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit);
    });
    const watch = new Watch(page, await page.context().newCDPSession(page));
    watch.session.on('Tracing.dataCollected', ({ value }) => watch.#take(value as never));
    await watch.session.send('Tracing.start', {
      transferMode: 'ReportEvents',
      traceConfig: { includedCategories: ['disabled-by-default-devtools.timeline', 'blink.user_timing'], excludedCategories: ['*'] },
    });
    return watch;
  }

  #take(events: readonly { name: string; cat: string; ts: number; tdur?: number; pid: number; tid: number }[]): void {
    for (const { name, cat, ts, tdur = 0, pid, tid } of events) {
      const thread = `${pid}/${tid}`;
      if (name === 'RunTask' && tdur > 10_000) this.#runs.push({ ts, thread, ms: tdur / 1000 });
      if (cat.includes('user_timing')) this.#marks.set(name, { ts, thread });
    }
  }

  /** Marks where a part of the visit begins. @returns its name and its moment, for {@link end} */
  async mark(name: string): Promise<{ readonly name: string; readonly at: number; readonly interactions: number }> {
    const now = await this.page.evaluate((mark) => {
      performance.mark(mark);
      return { at: performance.now(), interactions: (performance as { interactionCount?: number }).interactionCount ?? 0 };
    }, name);
    return { name, ...now };
  }

  /** What was seen from each mark to the one after it. */
  async end(marks: readonly Awaited<ReturnType<Watch['mark']>>[]): Promise<ReadonlyMap<string, Watched>> {
    await this.page.waitForTimeout(500);
    const seen = await this.page.evaluate(
      () => (window as unknown as { seen: { tasks: [number, number][]; events: [number, number, number][] } }).seen,
    );
    const complete = new Promise((resolve) => this.session.once('Tracing.tracingComplete', resolve));
    await this.session.send('Tracing.end');
    await complete;
    const parts = new Map<string, Watched>();
    for (const [i, from] of marks.slice(0, -1).entries()) {
      const to = marks[i + 1]!;
      const inside = (at: number) => at >= from.at && at < to.at;
      const answers = new Map<number, number>();
      for (const [at, ms, id] of seen.events) if (inside(at)) answers.set(id, Math.max(ms, answers.get(id) ?? 0));
      const quick = Math.max(0, to.interactions - from.interactions - answers.size);
      const [begin, stop] = [this.#marks.get(from.name)!, this.#marks.get(to.name)!];
      const mine = this.#runs.filter(({ ts, thread }) => thread === begin.thread && ts >= begin.ts && ts < stop.ts);
      parts.set(from.name, {
        tasks: seen.tasks.filter(([at]) => inside(at)).map(([, ms]) => ms),
        cpu: mine.map(({ ms }) => ms),
        answers: [...answers.values(), ...new Array<number>(quick).fill(16)],
      });
    }
    return parts;
  }
}

export const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)] ?? 0;

interface Visitor {
  readonly page: Page;
  /** Does nothing for some milliseconds, at the visitor's pace. */
  rest(ms: number): Promise<void>;
}

/** Clicks without looking elements up by role, which itself takes long on the page's main thread. */
async function click({ page, rest }: Visitor, css: string, nth = 0): Promise<void> {
  const [x, y] = await page.evaluate(
    ([selector, n]) => {
      const element = document.querySelectorAll(selector)[n]!;
      element.scrollIntoView({ block: 'nearest' });
      const box = element.getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2] as const;
    },
    [css, nth] as const,
  );
  await page.mouse.click(x, y);
  await rest(250);
}

async function press({ page, rest }: Visitor, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await page.keyboard.press(key);
    await rest(100);
  }
}

const TABS = ['results', 'training', 'causes', 'layers', 'graph', 'device', 'grow', 'library'] as const;
async function open(visitor: Visitor, tab: (typeof TABS)[number]): Promise<void> {
  await click(visitor, '.tab', TABS.indexOf(tab));
  await visitor.rest(600);
}

/** What {@link look} does, in words. */
export const LOOK = 'tabs; in Layers three columns sorted, two rows, arrows, End, Home, a filter typed and erased; arrows in the graph';

/** One look around: every tab that shows the open network, and the keys of table and graph. */
async function look(visitor: Visitor): Promise<void> {
  await open(visitor, 'causes');
  await open(visitor, 'layers');
  for (const column of [4, 1, 3]) await click(visitor, '.scroll th button', column);
  for (const row of [3, 5]) await click(visitor, 'tr.row .pick', row);
  await press(visitor, 'ArrowDown', 'ArrowDown', 'ArrowUp', 'End', 'Home', '/', 'c', 'o', 'n', 'v');
  await press(visitor, 'Backspace', 'Backspace', 'Backspace', 'Backspace');
  await open(visitor, 'graph');
  await visitor.page.waitForSelector('.svelte-flow__node', { timeout: 60_000 });
  await click(visitor, '.svelte-flow__node');
  await press(visitor, 'ArrowDown', 'ArrowDown', 'ArrowUp');
  await open(visitor, 'device');
  await open(visitor, 'library');
  await open(visitor, 'training');
  await open(visitor, 'results');
}

/**
 * A look before the job, looks until it ends, a look at its result with the divider moved.
 * @param pace how long the visitor rests between two clicks or keys, in parts of what people do
 */
export async function visit(page: Page, pace = 1): Promise<ReadonlyMap<string, Watched>> {
  const watch = await Watch.begin(page);
  const visitor: Visitor = { page, rest: (ms) => page.waitForTimeout(ms * pace) };
  const marks = [await watch.mark('before the job')];
  await look(visitor);
  await click(visitor, 'aside .switch');
  await click(visitor, 'aside .switch');
  await click(visitor, '.job .primary');
  marks.push(await watch.mark('during the job'));
  while (!(await page.$('a[download$=".zip"]'))) await look(visitor);
  marks.push(await watch.mark('after the job'));
  await click(visitor, '.divider');
  await press(visitor, 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'Home', 'End');
  await look(visitor);
  marks.push(await watch.mark('end'));
  return watch.end(marks);
}
