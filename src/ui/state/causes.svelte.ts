import type { Progress } from '../../../workers/wire';
import { StudioError } from '../../numerics';
import { type AnalysisReport, type Recipe, type Story, stepOf } from '../../pipeline';
import { helpfulRepairs } from '../causes/words';
import type { Studio } from './studio.svelte';

/** Why the quantized network errs: the analysis of its layers, and the story of one image. */
export class CausesState {
  #abort: AbortController | null = null;
  /** Recipe that the report is about. */
  #recipe = $state.raw<Recipe | null>(null);

  report = $state.raw<AnalysisReport | null>(null);
  story = $state.raw<Story | null>(null);
  /** What the story's detections are drawn on. */
  picture = $state.raw<ImageBitmap | null>(null);
  /** Index of the image to tell the story of. */
  image = $state(0);
  running = $state<'analyze' | 'story' | null>(null);
  progress = $state.raw<Progress | null>(null);
  /** What kept the last call from ending, null when nothing did. */
  trouble = $state.raw<unknown>(null);

  constructor(private readonly studio: Studio) {}

  imageCount = $derived.by(() => this.studio.storyImages.count);
  /** True when what is quantized, or how, was edited after the report. */
  stale = $derived.by(() => {
    const recipe = this.#recipe;
    if (!recipe) return false;
    const now = this.studio.recipe.current;
    return (['prune', 'calibrate', 'quantize'] as const).some(
      (id) => JSON.stringify(stepOf(recipe, id)) !== JSON.stringify(stepOf(now, id)),
    );
  });

  /** Another network: nothing of this holds for it. */
  reset(): void {
    this.cancel();
    this.report = this.#recipe = null;
    this.trouble = null;
    this.#tellNothing();
    this.image = 0;
  }

  #tellNothing(): void {
    this.picture?.close();
    this.story = this.picture = null;
  }

  async analyze(): Promise<void> {
    const recipe = this.studio.recipe.current;
    const report = await this.#work('analyze', (on, signal) => this.studio.analyze(recipe, on, signal));
    if (!report) return;
    this.report = report;
    this.#recipe = recipe;
    const [helpful] = helpfulRepairs(report);
    const worst = report.layers.find(({ verdicts }) => verdicts.length > 0) ?? report.layers[0];
    if (worst && !report.layers.some(({ node }) => node === this.studio.layer)) this.studio.layer = helpful?.nodes[0] ?? worst.node;
  }

  async tell(): Promise<void> {
    const index = Math.min(this.image, this.imageCount - 1);
    const told = await this.#work('story', async (on, signal) => {
      const story = await this.studio.tell(this.studio.recipe.current, index, on, signal);
      return { story, picture: await this.studio.pictureOf(index) };
    });
    if (!told) return;
    this.#tellNothing();
    this.story = told.story;
    this.picture = told.picture;
  }

  /** Runs one of the two; null when it was cancelled or failed. */
  async #work<T>(what: 'analyze' | 'story', call: (on: (p: Progress) => void, signal: AbortSignal) => Promise<T>): Promise<T | null> {
    if (this.studio.busy) return null;
    this.running = what;
    this.progress = null;
    this.trouble = null;
    this.#abort = new AbortController();
    try {
      return await call((progress) => {
        this.progress = progress;
      }, this.#abort.signal);
    } catch (error) {
      if (!(error instanceof StudioError && error.code === 'cancelled')) this.trouble = error;
      return null;
    } finally {
      this.running = null;
      this.progress = null;
    }
  }

  cancel(): void {
    this.#abort?.abort();
  }
}
