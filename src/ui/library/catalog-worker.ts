/** The page's side of the worker that fetches from the model catalog. */
import * as Comlink from 'comlink';
import type { CatalogTable } from '../../../workers/catalog';
import { WorkerLine } from '../bridge';

/** It lives only as long as a download: at any other time nothing of this page can reach another host. */
export class CatalogWorker {
  readonly #line = new WorkerLine<CatalogTable>(
    'the download',
    () => new Worker(new URL('../../../workers/catalog.ts', import.meta.url), { type: 'module', name: 'catalog' }),
  );

  /**
   * An entry's file, checked.
   * @param progress bytes so far
   * @throws StudioError as downloadModel does, 'cancelled' after {@link end}
   */
  async download(id: string, progress: (bytes: number) => void): Promise<Uint8Array> {
    try {
      return await this.#line.call((remote) => remote.download(id, Comlink.proxy(progress) as never) as unknown as Promise<Uint8Array>);
    } finally {
      this.end();
    }
  }

  end(): void {
    this.#line.end();
  }
}
