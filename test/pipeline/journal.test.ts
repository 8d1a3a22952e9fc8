/** What a journal gives back after its run has died, and how often it writes. */
import { describe, expect, it } from 'vitest';
import { openJournal } from '../../src/pipeline/journal';
import type { Journal } from '../../src/steps';

function store() {
  const records = new Map<string, unknown>();
  let writes = 0;
  return {
    records,
    get writes() {
      return writes;
    },
    get: async (key: string) => structuredClone(records.get(key)),
    put: async (key: string, value: unknown) => {
      writes++;
      records.set(key, structuredClone(value));
    },
    remove: async (key: string) => void records.delete(key),
  };
}

/** A clock that each look moves by `ms`. */
const clock = (ms: number) => {
  let time = 0;
  return () => (time += ms);
};
const EVERY_TIME = 10_000;

describe('a journal', () => {
  it('gives back results in their order, then computes on', async () => {
    const kept = store();
    const work = async (journal: Journal, until: number) => {
      const made: number[] = [];
      const values: number[] = [];
      for (let i = 0; i < until; i++)
        values.push(
          await journal.next(async () => {
            made.push(i);
            return i * i;
          }),
        );
      return { made, values };
    };
    await work(await openJournal(kept, 'a', clock(EVERY_TIME)), 3);
    const again = await work(await openJournal(kept, 'a', clock(EVERY_TIME)), 5);
    expect(again).toEqual({ made: [3, 4], values: [0, 1, 4, 9, 16] });
    expect((await work(await openJournal(kept, 'b', clock(EVERY_TIME)), 2)).made).toEqual([0, 1]);
  });

  it('keeps what a result was in the middle of, and drops it once the result is there', async () => {
    const kept = store();
    const inner = async (journal: Journal, die: boolean) => {
      const first = await journal.next(async () => 'first');
      if (die) throw new Error('killed');
      return `${first}, second`;
    };
    const dying = await openJournal(kept, 'a', clock(EVERY_TIME));
    await dying.next(async () => 0);
    await expect(dying.next((own) => inner(own, true))).rejects.toThrow('killed');
    expect(kept.records.get('a')).toEqual({ results: [0], open: { results: ['first'] } });
    const next = await openJournal(kept, 'a', clock(EVERY_TIME));
    await next.next(async () => 1);
    let asked = 0;
    const result = await next.next((own) => inner({ ...own, next: (make) => own.next(() => make(own).finally(() => asked++)) }, false));
    expect([result, asked]).toEqual(['first, second', 0]);
    expect(kept.records.get('a')).toEqual({ results: [0, 'first, second'] });
  });

  it('a result that failed leaves nothing to what is tried instead', async () => {
    const journal = await openJournal(store(), 'a', clock(EVERY_TIME));
    const failing = journal.next(async (own) => {
      await own.next(async () => 'of the first');
      throw new Error('unsupported');
    });
    await expect(failing).rejects.toThrow();
    expect(await journal.next((own) => own.next(async () => 'of the second'))).toBe('of the second');
  });

  it('keeps the newest state and the results since', async () => {
    const kept = store();
    const journal = await openJournal(kept, 'a', clock(EVERY_TIME));
    await journal.next(async () => 1);
    await journal.save({ sum: 1 });
    await journal.next(async () => 2);
    expect(kept.records.get('a')).toEqual({ state: { sum: 1 }, results: [2] });
    const resumed = await openJournal(kept, 'a', clock(EVERY_TIME));
    expect(resumed.saved()).toEqual({ sum: 1 });
    expect(await resumed.next(async () => 3)).toBe(2);
    await resumed.save({ sum: 3 });
    expect(await resumed.next(async () => 4)).toBe(4);
    await resumed.close();
    expect(kept.records.size).toBe(0);
  });

  it('writes every three seconds, less often where writing is slow, and never while a step is short', async () => {
    const kept = store();
    let time = 0;
    const journal = await openJournal(kept, 'a', () => time);
    const steps = async (count: number) => {
      for (let i = 0; i < count; i++) {
        time += 100;
        await journal.next(async () => i);
      }
    };
    await steps(29);
    expect(kept.writes).toBe(0);
    await steps(91);
    expect(kept.writes).toBe(4);

    time = 0;
    const slow = { ...kept, put: async (key: string, value: unknown) => kept.put(key, value).then(() => void (time += 100)) };
    const other = await openJournal(slow, 'b', () => time);
    const at: number[] = [];
    for (let i = 0; i < 300; i++) {
      const before = kept.writes;
      time += 50;
      await other.next(async () => i);
      if (kept.writes > before) at.push(time);
    }
    // A write of 100 ms may take a sixtieth of the time: six seconds.
    expect(at).toEqual([3100, 9200, 15300]);
  });

  it('takes one call at a time', async () => {
    const journal = await openJournal(store(), 'a', clock(1));
    const slow = journal.next(() => new Promise((resolve) => setTimeout(resolve, 5)));
    await expect(journal.next(async () => 1)).rejects.toThrow('one call');
    await slow;
  });
});
