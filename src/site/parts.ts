/** The files that lie inside the single file; the build also puts this in front of each of its workers. */
export interface Parts {
  /** An address that this page or worker alone can fetch; '' for a file that was left out. */
  url(name: string): string;
  /** Gives a worker that was just started the files; it waits for them. */
  equip(worker: Worker): Worker;
}

declare global {
  /** Only in the single file, once its parts are unpacked. */
  var bonsaiParts: Parts | undefined;
}

/** @param files by their path in the site, each with its media type */
export function openParts(files: ReadonlyMap<string, Blob>): Parts {
  const urls = new Map<string, string>();
  return {
    url(name) {
      const file = files.get(name);
      if (file && !urls.has(name)) urls.set(name, URL.createObjectURL(file));
      return urls.get(name) ?? '';
    },
    equip(worker) {
      // Addresses of the page's blobs are closed to its workers where the page is a file; the blobs themselves are not.
      worker.postMessage(files);
      return worker;
    },
  };
}
