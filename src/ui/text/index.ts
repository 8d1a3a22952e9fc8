import { en, type Text } from './en';

/** Every sentence the page shows. */
export const t: Text = en;
