/**
 * Content-Security-Policy: the page and its workers talk to nobody but the site that they came from. One worker, which lives
 * only while somebody downloads from the model catalog, talks to the catalog's hosts and to nobody else.
 */

type Directives = Readonly<Record<string, string>>;

const write = (directives: Directives): string =>
  Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources}`)
    .join('; ');

const COMMON: Directives = {
  'default-src': "'none'",
  // Pictures and clips that the page made itself.
  'media-src': 'blob:',
  'form-action': "'none'",
  'base-uri': "'none'",
};

/** Of the built site. Blobs: the runtime's file out of the cache. */
export const SITE_POLICY = write({
  ...COMMON,
  'script-src': "'self' 'wasm-unsafe-eval'",
  'worker-src': "'self'",
  'connect-src': "'self' blob:",
  'style-src': "'self'",
  'img-src': "'self' blob: data:",
  'manifest-src': "'self'",
});

/**
 * What a file of the catalog may come from: its address, and the hosts that huggingface.co hands on to
 * (https://huggingface.co/.well-known/meta.json, lfsDomains and cdnDomains).
 */
export const CATALOG_HOSTS: readonly string[] = ['huggingface.co', '*.hf.co'];

/** Script of workers/catalog.ts in the built site, by its path. */
export const CATALOG_WORKER = /\/assets\/catalog-[\w-]+\.js$/;

/** Of that worker: not even the site can be read by the one that others can be asked by. */
export const CATALOG_POLICY = write({
  ...COMMON,
  'script-src': "'self'",
  'connect-src': CATALOG_HOSTS.map((host) => `https://${host}`).join(' '),
});

/** Of a file of the built site, by its path. Workers take theirs from their own file, not from their page. */
export const policyOf = (path: string): string => (CATALOG_WORKER.test(path) ? CATALOG_POLICY : SITE_POLICY);

/**
 * Of the single file, which has nobody to talk to: its one script and one style sheet are named by their hashes
 * ("'sha256-…'"); workers, models and the runtime come out of blobs and data addresses that the page makes of itself.
 */
export const singlePolicy = (script: string, style: string): string =>
  write({
    ...COMMON,
    'script-src': `${script} 'wasm-unsafe-eval'`,
    'worker-src': 'blob:',
    'connect-src': 'blob: data:',
    'style-src': style,
    'img-src': 'blob: data:',
  });
