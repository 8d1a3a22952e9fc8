import {
  type OptionValue,
  type OptionValues,
  PRESETS,
  parseRecipe,
  type Recipe,
  type RecipeStep,
  stepOf,
  type TensorRanges,
} from '../../pipeline';
import { recipeOfLink } from '../recipe/link';

const FIRST = 'prune-10-int8';

/** The recipe being edited, with undo and redo. */
export class RecipeState {
  #past = $state.raw<readonly Recipe[]>([]);
  #future = $state.raw<readonly Recipe[]>([]);
  current = $state.raw<Recipe>(PRESETS[FIRST]!());
  /** Recipe of the result on show; steps that differ from it are stale. */
  shown = $state.raw<Recipe | null>(null);

  canUndo = $derived.by(() => this.#past.length > 0);
  canRedo = $derived.by(() => this.#future.length > 0);
  /** The shipped preset that says the same, or null. */
  preset = $derived.by(() => Object.keys(PRESETS).find((name) => sameSteps(PRESETS[name]!(), this.current)) ?? null);

  set(recipe: Recipe): void {
    this.#past = [...this.#past.slice(-99), this.current];
    this.#future = [];
    this.current = recipe;
  }

  /** @throws StudioError 'bad-option' */
  load(json: unknown): void {
    this.set(parseRecipe(json));
  }

  /** Opens the recipe that the page's address brought along, once. @throws StudioError 'bad-option' */
  takeLink(): boolean {
    const json = recipeOfLink(location.hash);
    if (json === null) return false;
    history.replaceState(null, '', location.pathname + location.search);
    this.load(json);
    return true;
  }

  usePreset(name: string): void {
    this.set(PRESETS[name]!());
  }

  #edit(id: RecipeStep['step'], change: (step: RecipeStep) => RecipeStep): void {
    const { record: _, ...recipe } = this.current;
    this.set({ ...recipe, name: 'custom', steps: recipe.steps.map((step) => (step.step === id ? change(step) : step)) });
  }

  toggle(id: RecipeStep['step'], enabled: boolean): void {
    this.#edit(id, (step) => ({ ...step, enabled }));
  }

  option(id: RecipeStep['step'], key: string, value: OptionValue): void {
    this.#edit(id, (step) => ({ ...step, options: { ...step.options, [key]: value } }));
  }

  /** Activation ranges that the recipe sets by hand. */
  get ranges(): TensorRanges {
    return (stepOf(this.current, 'quantize').options.ranges as TensorRanges | undefined) ?? {};
  }

  /** The range that the recipe sets for a value, or null. */
  rangeOf(value: string): readonly [number, number] | null {
    return Object.hasOwn(this.ranges, value) ? this.ranges[value]! : null;
  }

  /** Sets the range of a value, or leaves it to the calibrator again. */
  range(value: string, range: readonly [number, number] | null): void {
    const others = Object.entries(this.ranges).filter(([name]) => name !== value);
    this.option('quantize', 'ranges', Object.fromEntries(range ? [...others, [value, range]] : others));
  }

  /** Lays a repair's options over the quantize step's, as one edit. */
  repair(options: OptionValues): void {
    this.#edit('quantize', (step) => ({ ...step, enabled: true, options: { ...step.options, ...options } }));
  }

  /** How a preset calibrates and quantizes; pruning and the rest stay as they are. */
  useStrength(name: string): void {
    const preset = PRESETS[name]!();
    const { record: _, ...recipe } = this.current;
    const steps = recipe.steps.map((step) => (step.step === 'calibrate' || step.step === 'quantize' ? stepOf(preset, step.step) : step));
    const next = { ...recipe, name: 'custom', steps };
    const shipped = Object.keys(PRESETS).find((id) => sameSteps(PRESETS[id]!(), next));
    this.set({ ...next, name: shipped ?? 'custom' });
  }

  useDevice(device: string): void {
    const { record: _, ...recipe } = this.current;
    this.set({ ...recipe, device });
  }

  undo(): void {
    const last = this.#past.at(-1);
    if (!last) return;
    this.#future = [this.current, ...this.#future];
    this.#past = this.#past.slice(0, -1);
    this.current = last;
  }

  redo(): void {
    const next = this.#future[0];
    if (!next) return;
    this.#past = [...this.#past, this.current];
    this.#future = this.#future.slice(1);
    this.current = next;
  }

  /** True when the step, or one before it, was edited after the result on show. */
  stale(id: RecipeStep['step']): boolean {
    if (!this.shown) return false;
    const end = this.current.steps.findIndex((step) => step.step === id);
    return this.current.steps.slice(0, end + 1).some((step, i) => !same(step, this.shown!.steps[i]));
  }
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function sameSteps(a: Recipe, b: Recipe): boolean {
  return same(a.steps, b.steps);
}
