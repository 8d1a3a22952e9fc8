/** What jobs keep from one visit to the next. */
import { openStore } from '../src/store';

/** Results kept from one visit to the next; the oldest make room. */
const KEPT_ARTIFACTS = 40;
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
