/** Models, data sets, calibration results, runs and settings across visits. May import nothing but numerics. */
import { type Loss, openWithFallback } from './fallback';
import { diskStore } from './idb';
import type { Store } from './types';

export { askToPersist, type Loss, type LostReason, openWithFallback, storageUsage } from './fallback';
export { filesOfDataset, filesOfHandles } from './folders';
export { DATABASE, diskStore } from './idb';
export {
  duplicateEntry,
  type Entry,
  forgetEverything,
  KINDS,
  type Kind,
  listEntries,
  removeEntry,
  renameEntry,
} from './manage';
export { memoryStore } from './memory';
export type * from './types';
export { TABLES } from './types';
export { exportWorkspace, type Imported, importWorkspace } from './workspace';

/** IndexedDB where it works, else memory; never rejects. `onLoss` is called once, when records no longer reach the disk. */
export function openStore(onLoss: (loss: Loss) => void): Promise<Store> {
  return openWithFallback({ disk: (onLost) => diskStore({ onLost }), onLoss });
}
