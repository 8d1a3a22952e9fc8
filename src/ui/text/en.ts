/** Every text of the page, in English; Japanese has the same keys. */
import { catalog } from './en/catalog';
import { causes } from './en/causes';
import { compare } from './en/compare';
import { device } from './en/device';
import { graph } from './en/graph';
import { layers } from './en/layers';
import { library } from './en/library';
import { preview } from './en/preview';
import { recipe } from './en/recipe';
import { results } from './en/results';
import { shell } from './en/shell';
import { tour } from './en/tour';
import { training } from './en/training';

export const en = {
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
} as const;
