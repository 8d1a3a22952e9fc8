/** Content-Security-Policy: the page and its workers talk to nobody but the site that they came from. */

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
