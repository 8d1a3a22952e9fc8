/** The search over repairs: which of them, with what strength. */
export { neighbours, starts } from './moves';
export { type SearchInput, type SearchResult, type SearchState, type SearchTrial, searchRecipes } from './search';
export { type SearchSets, searchSets } from './sets';
