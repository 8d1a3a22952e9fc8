import { describe, expect, it } from 'vitest';
import { cache, checkpoints } from '../../workers/cache';
import { openSwitches, SWITCHES } from '../../workers/cancel';

const soon = (ms: number) => new Promise<'still waiting'>((resolve) => setTimeout(() => resolve('still waiting'), ms));

describe.each(['shared memory', 'messages'] as const)('switches by %s', (how) => {
  const open = () => {
    const flags = how === 'messages' ? null : new Int32Array(new SharedArrayBuffer(4 * SWITCHES.length));
    const switches = openSwitches(flags);
    const turn: typeof switches.turn = flags ? (name, on) => Atomics.store(flags, SWITCHES.indexOf(name), on ? 1 : 0) : switches.turn;
    return { ...switches, turn };
  };

  it('hold training while paused, and let it go on', async () => {
    const { control, turn } = open();
    await control.paused();
    turn('pause', true);
    const waiting = control.paused().then(() => 'goes on');
    expect(await Promise.race([waiting, soon(150)])).toBe('still waiting');
    turn('pause', false);
    expect(await waiting).toBe('goes on');
  });

  it('end one training run, not the next', async () => {
    const { control, turn } = open();
    expect(control.stopped()).toBe(false);
    turn('pause', true);
    turn('stop', true);
    // A paused run ends too.
    await control.paused();
    expect([control.stopped(), control.stopped()]).toEqual([true, false]);
  });

  it('cancel, also what is paused', async () => {
    const { cancel, control, turn } = open();
    turn('pause', true);
    const waiting = control.paused();
    turn('cancel', true);
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(cancel.aborted).toBe(true);
    expect(() => cancel.throwIfAborted()).toThrow();
  });
});

describe('checkpoints', () => {
  it('outlive any number of results, but only the last six are kept', async () => {
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await checkpoints.put(key, { step: key });
    await checkpoints.put('b', { step: 'b again' });
    for (let i = 0; i < 45; i++) await cache.put(`artifact ${i}`, i);
    expect(await cache.get('artifact 0')).toBeUndefined();
    expect(await checkpoints.get('a')).toBeUndefined();
    expect(await Promise.all(['b', 'c', 'd'].map(checkpoints.get))).toEqual([{ step: 'b again' }, { step: 'c' }, { step: 'd' }]);
    await checkpoints.put('h', { step: 'h' });
    expect(await checkpoints.get('c')).toBeUndefined();
    expect(await checkpoints.get('b')).toEqual({ step: 'b again' });
    await checkpoints.remove('b');
    expect(await checkpoints.get('b')).toBeUndefined();
  });
});
