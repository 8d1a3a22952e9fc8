/** A recipe in the fragment of the page's address, which no server sees. */
import { strFromU8, strToU8, unzlibSync, zlibSync } from 'fflate';
import { StudioError } from '../../numerics';
import type { Recipe } from '../../pipeline';
import { t } from '../text';

const PREFIX = '#recipe=';
/** A link that unpacks to more isn't one of ours. */
const MOST_BYTES = 1 << 20;

/** @param page the page's address; its own fragment is replaced */
export function linkTo(recipe: Recipe, page: string): string {
  const packed = zlibSync(strToU8(JSON.stringify(recipe)), { level: 9 });
  const code = btoa(String.fromCharCode(...packed))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
  return `${page.replace(/#.*$/, '')}${PREFIX}${code}`;
}

/**
 * @param hash `location.hash`
 * @returns the recipe's JSON, still to be checked; null where the fragment says something else
 * @throws StudioError 'bad-file' for a link that was cut or changed
 */
export function recipeOfLink(hash: string): unknown {
  if (!hash.startsWith(PREFIX)) return null;
  try {
    const code = hash.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
    const packed = Uint8Array.from(atob(code), (c) => c.charCodeAt(0));
    // Unpacking stops at the end of this; what is longer fails as JSON.
    return JSON.parse(strFromU8(unzlibSync(packed, { out: new Uint8Array(MOST_BYTES) })));
  } catch {
    throw new StudioError('bad-file', t('recipe.badLink'), t('recipe.badLinkHint'));
  }
}
