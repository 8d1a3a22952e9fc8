/**
 * How the page is packed, and what it may talk to: a folder for any static server, or one HTML file. May import nothing.
 * node.ts has the build's plugins.
 */
export { openParts, type Parts } from './parts.ts';
export { CATALOG_HOSTS, CATALOG_POLICY, CATALOG_WORKER, policyOf, SITE_POLICY, singlePolicy } from './policy.ts';

/** Where the service worker and the runtime keep the site's files; static/sw.js gets the name from the build. */
export const SITE_CACHE = 'bonsai-studio-v1';
