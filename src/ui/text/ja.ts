/** Every text of the page in Japanese, by the keys of en.ts. */
import { catalog } from './ja/catalog';
import { causes } from './ja/causes';
import { compare } from './ja/compare';
import { device } from './ja/device';
import { graph } from './ja/graph';
import { layers } from './ja/layers';
import { library } from './ja/library';
import { preview } from './ja/preview';
import { recipe } from './ja/recipe';
import { results } from './ja/results';
import { shell } from './ja/shell';
import { tour } from './ja/tour';
import { training } from './ja/training';

export { core } from './ja/core';
export const ja = {
  ...shell,
  ...recipe,
  ...preview,
  ...results,
  ...layers,
  ...graph,
  ...library,
  ...catalog,
  ...compare,
  ...tour,
  ...causes,
  ...training,
  ...device,
};
