import type { JobResult } from '../../../workers/wire';
import { PRESETS, type Recipe } from '../../pipeline';
import type { Studio } from './studio.svelte';

/** What each scene of the tour computes; the order is the story. */
export const SCENES = ['float', 'collapse', 'layer', 'repair', 'device'] as const;
export type SceneId = (typeof SCENES)[number];

/** Recipe of a scene; the layer's scene analyses the collapse's. */
const RECIPES: Readonly<Record<SceneId, string | null>> = {
  float: null,
  collapse: 'int8-naive',
  layer: null,
  repair: 'int8-fast',
  device: 'prune-10-int8',
};

/** The detector whose INT8 collapse the tour tells. */
const HERO = 'scenes-depthwise.onnx';

/** A tour for workshops: five scenes, each computed in the page, under a presenter's arrow keys. */
export class TourState {
  #results = new Map<SceneId, { readonly recipe: Recipe; readonly result: JobResult }>();

  /** null while no tour is on. */
  scene = $state<SceneId | null>(null);

  constructor(private readonly studio: Studio) {}

  index = $derived.by(() => (this.scene ? SCENES.indexOf(this.scene) : -1));
  /** Rows that the tour has made so far: what the words of a scene quote. */
  #rows = $state.raw<Readonly<Partial<Record<SceneId, JobResult['rows']>>>>({});

  /** mAP of the float network and of the scene's own, percent; null while they aren't known. */
  figures(scene: SceneId): { readonly before: number; readonly after: number } | null {
    const rows = this.#rows[scene];
    const before = rows?.[0]?.metrics?.mAP;
    const after = rows?.findLast(({ id }) => id !== 'int8-other')?.metrics?.mAP;
    return typeof before === 'number' && typeof after === 'number' ? { before, after } : null;
  }

  async begin(): Promise<void> {
    const { studio } = this;
    if (studio.model?.name !== HERO) await studio.openEmbedded(HERO);
    await studio.useScenes();
    this.#results.clear();
    this.#rows = {};
    await this.go('float');
  }

  end(): void {
    this.scene = null;
    if (location.hash === '#tour') history.replaceState(null, '', location.pathname + location.search);
  }

  /** Goes `by` scenes on or back; stays at an end, and where a scene still computes. */
  async step(by: number): Promise<void> {
    const next = SCENES[this.index + by];
    if (next && !this.studio.busy) await this.go(next);
  }

  async go(scene: SceneId): Promise<void> {
    const { studio } = this;
    this.scene = scene;
    if (scene === 'float') {
      await studio.clearResult();
      studio.tab = 'results';
      await studio.preview.show('scenes');
      return;
    }
    if (scene === 'layer') {
      studio.recipe.usePreset(RECIPES.collapse!);
      studio.tab = 'causes';
      if (!studio.causes.report || studio.causes.stale) await studio.causes.analyze();
      return;
    }
    studio.tab = 'results';
    await studio.preview.show(scene === 'device' ? 'webcam' : 'scenes');
    const known = this.#results.get(scene);
    if (known) {
      studio.recipe.set(known.recipe);
      await studio.showResult(known.recipe, known.result);
      return;
    }
    const recipe = PRESETS[RECIPES[scene]!]!();
    studio.recipe.set(recipe);
    const result = await studio.run();
    if (!result) return;
    this.#results.set(scene, { recipe, result });
    this.#rows = { ...this.#rows, [scene]: result.rows };
  }
}
