/** What jobs keep from one visit to the next. */
import type { Checkpoints } from '../src/pipeline';
import { openStore, type Store } from '../src/store';

/** Results kept from one visit to the next; the oldest make room. */
const KEPT_ARTIFACTS = 40;
/** Unfinished steps kept, and their bytes; one that trains is ten times the network's weights. */
const KEPT_CHECKPOINTS = 6;
const KEPT_BYTES = 600e6;
/** Calibration and evaluation results by content hash; the page says it if they can't be kept. */
const store = openStore(() => {});

/** Artifacts by content hash. */
export const cache = {
  async get(id: string) {
    return (await (await store).get('artifacts', id))?.value;
  },
  async put(id: string, value: unknown) {
    const kept = await store;
    await kept.put([{ table: 'artifacts', record: { id, value, at: Date.now() } }]);
    for (const oldest of (await kept.ids('artifacts')).slice(0, -KEPT_ARTIFACTS)) await kept.remove('artifacts', oldest);
  },
};

/**
 * Keeps a run's result where the page reads it, so that the page needn't copy megabytes.
 * @returns the record's id; null where only the page can keep it
 */
export async function keepRun(model: string, recipe: string, result: unknown): Promise<string | null> {
  const kept = await store;
  if (kept.kind !== 'disk') return null;
  const at = Date.now();
  await kept.put([{ table: 'runs', record: { id: `${at}`, name: recipe, value: { model, recipe, result }, at } }]);
  // A full disk: it went to this worker's memory, where nobody looks.
  return (kept.kind as string) === 'disk' ? `${at}` : null;
}

/** Beside each checkpoint, so that nobody reads checkpoints to find out which are old. */
interface Weight {
  readonly bytes: number;
  readonly at: number;
}

const PREFIX = 'checkpoint:';
/** Of the last write: two in one millisecond have an order too. */
let last = 0;

/** Bytes of a value's arrays and texts; what else there is of it is small. */
function weigh(value: unknown, seen = new Set<unknown>()): number {
  if (typeof value === 'string') return 2 * value.length;
  if (typeof value !== 'object' || value === null || seen.has(value)) return 8;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return weigh(value.buffer, seen);
  if (value instanceof ArrayBuffer) return value.byteLength;
  let bytes = 0;
  const parts = value instanceof Map ? [...value.keys(), ...value.values()] : Object.values(value);
  for (const part of parts) bytes += weigh(part, seen);
  return bytes;
}

/** Checkpoints that have to go, the oldest first, once `mine` is there. */
async function surplus(kept: Store, mine: string, bytes: number): Promise<readonly string[]> {
  const others = (await kept.all('settings')).filter(({ id }) => id.startsWith(PREFIX) && id !== mine);
  others.sort((a, b) => (b.value as Weight).at - (a.value as Weight).at);
  let total = bytes;
  return others.flatMap(({ id, value }, i) => {
    total += (value as Weight).bytes;
    return i + 1 < KEPT_CHECKPOINTS && total <= KEPT_BYTES ? [] : [id];
  });
}

/** A disk copies what it is given and gives; memory doesn't. */
const apart = (kept: Store, value: unknown): unknown => (kept.kind === 'memory' ? structuredClone(value) : value);

async function drop(kept: Store, id: string): Promise<void> {
  await kept.remove('checkpoints', id.slice(PREFIX.length));
  await kept.remove('settings', id);
}

/** What unfinished steps have worked out, by key; the oldest make room. */
export const checkpoints: Checkpoints = {
  async get(key: string) {
    const kept = await store;
    return apart(kept, (await kept.get('checkpoints', key))?.value);
  },
  async put(key: string, value: unknown) {
    const kept = await store;
    const id = PREFIX + key;
    last = Math.max(last + 1, Date.now());
    const weight: Weight = { bytes: weigh(value), at: last };
    await kept.put([
      { table: 'checkpoints', record: { id: key, value: apart(kept, value) } },
      { table: 'settings', record: { id, value: weight } },
    ]);
    for (const old of await surplus(kept, id, weight.bytes)) await drop(kept, old);
  },
  async remove(key: string) {
    await drop(await store, PREFIX + key);
  },
};
