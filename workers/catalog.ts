/** Worker that fetches from the model catalog: the only one whose policy names other hosts (src/site/policy.ts). */
import * as Comlink from 'comlink';
import { CATALOG, downloadModel } from '../src/models';
import { StudioError } from '../src/numerics';
import { keepErrors } from './wire';

keepErrors();

const table = {
  /** An entry's file. Throws StudioError as downloadModel does. */
  async download(id: string, progress: (bytes: number) => void) {
    const entry = CATALOG.find((one) => one.id === id);
    if (!entry) throw new StudioError('bad-option', `The catalog lists no "${id}".`, 'Choose one that it lists.');
    const network = { fetch: (url: string, options: RequestInit) => fetch(url, options), online: navigator.onLine };
    const bytes = await downloadModel(entry, network, progress);
    return Comlink.transfer(bytes, [bytes.buffer]);
  },
};

export type CatalogTable = typeof table;
Comlink.expose(table);
