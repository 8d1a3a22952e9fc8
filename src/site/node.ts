/** The build's plugins, for vite.config.ts. */
export { offlineSite, policyHeaders } from './offline.ts';
export { singleFile } from './single.ts';
