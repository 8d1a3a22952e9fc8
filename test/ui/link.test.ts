import { describe, expect, it } from 'vitest';
import { PRESETS, parseRecipe } from '../../src/pipeline';
import { linkTo, recipeOfLink } from '../../src/ui/recipe/link';

const hashOf = (link: string) => link.slice(link.indexOf('#'));

describe('a recipe as a link', () => {
  it.each(Object.keys(PRESETS))('%s comes back as it was', (name) => {
    const recipe = PRESETS[name]!();
    const link = linkTo(recipe, 'https://studio.example/a/?x#old');
    expect(link.startsWith('https://studio.example/a/?x#recipe=')).toBe(true);
    expect(link.length).toBeLessThan(2000);
    expect(parseRecipe(recipeOfLink(hashOf(link)))).toEqual(recipe);
  });

  it('is another fragment’s business where it says something else', () => {
    expect(recipeOfLink('')).toBeNull();
    expect(recipeOfLink('#tour')).toBeNull();
  });

  it('is refused when it was cut or changed', () => {
    const hash = hashOf(linkTo(PRESETS['int8-fast']!(), 'https://studio.example/'));
    for (const broken of [hash.slice(0, -10), '#recipe=', '#recipe=%%%', `${hash.slice(0, 20)}AAAA${hash.slice(24)}`])
      expect(() => recipeOfLink(broken)).toThrow('link');
  });
});
