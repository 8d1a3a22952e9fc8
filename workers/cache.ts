/** What jobs keep from one visit to the next. */
import { openStore, type Write } from '../src/store';

/** Results kept from one visit to the next; the oldest make room. */
const KEPT_ARTIFACTS = 40;
/** Unfinished training runs kept; each is ten times the network's weights. */
const KEPT_CHECKPOINTS = 3;
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
    const old = (await kept.all('artifacts')).slice(0, -KEPT_ARTIFACTS);
    for (const { id: oldest } of old) await kept.remove('artifacts', oldest);
  },
};

/** Keys of the checkpoints that are kept, the one last written at the end. */
const INDEX = 'checkpoints';
const idOf = (key: string) => `checkpoint:${key}`;

async function keysKept(): Promise<readonly string[]> {
  return ((await (await store).get('settings', INDEX))?.value as readonly string[] | undefined) ?? [];
}

/** Unfinished training runs by key. They lie beside the settings, where artifacts don't push them out. */
export const checkpoints = {
  async get(key: string) {
    return (await (await store).get('settings', idOf(key)))?.value;
  },
  async put(key: string, value: unknown) {
    const kept = await store;
    const keys = [...(await keysKept()).filter((other) => other !== key), key];
    const writes: Write[] = [{ table: 'settings', record: { id: idOf(key), value } }];
    await kept.put([...writes, { table: 'settings', record: { id: INDEX, value: keys.slice(-KEPT_CHECKPOINTS) } }]);
    for (const old of keys.slice(0, -KEPT_CHECKPOINTS)) await kept.remove('settings', idOf(old));
  },
  async remove(key: string) {
    const kept = await store;
    const keys = (await keysKept()).filter((other) => other !== key);
    await kept.put([{ table: 'settings', record: { id: INDEX, value: keys } }]);
    await kept.remove('settings', idOf(key));
  },
};
