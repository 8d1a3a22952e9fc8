/** The build's plugins, for vite.config.ts. */
export { offlineSite } from './offline.ts';
export { singleFile } from './single.ts';
