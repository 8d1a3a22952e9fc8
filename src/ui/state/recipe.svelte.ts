import { PRESETS, type Recipe, type RecipeStep } from '../../pipeline';

export type StepName = RecipeStep['step'];
export const DEFAULT_PRESET = 'prune-10-int8';
const DEPTH = 100;

const plain = ({ record: _, ...recipe }: Recipe): Recipe => recipe;
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** The recipe being edited, with undo, beside the one behind the shown result. */
export class RecipeEditor {
  current = $state.raw<Recipe>(PRESETS[DEFAULT_PRESET]!());
  /** Recipe of the shown result; null before the first run. */
  ran = $state.raw<Recipe | null>(null);
  #past = $state.raw<readonly Recipe[]>([]);
  #future = $state.raw<readonly Recipe[]>([]);

  readonly canUndo = $derived(this.#past.length > 0);
  readonly canRedo = $derived(this.#future.length > 0);
  /** Steps whose result would change, and those after the first of them. */
  readonly stale = $derived.by((): ReadonlySet<StepName> => {
    if (!this.ran) return new Set();
    const before = this.ran.steps;
    const first = this.current.steps.findIndex((step, i) => !same(step, before[i]));
    return new Set(first < 0 ? [] : this.current.steps.slice(first).map((step) => step.step));
  });
  readonly presetName = $derived.by(() => {
    const match = Object.entries(PRESETS).find(([, make]) => same(make().steps, this.current.steps));
    return match?.[0] ?? null;
  });

  edit(next: Recipe): void {
    if (same(next, this.current)) return;
    this.#past = [...this.#past.slice(-DEPTH), this.current];
    this.#future = [];
    this.current = plain(next);
  }

  #step(name: StepName, change: (step: RecipeStep) => RecipeStep): void {
    this.edit({ ...this.current, steps: this.current.steps.map((step) => (step.step === name ? change(step) : step)) });
  }

  setOption(name: StepName, key: string, value: number | string | boolean): void {
    this.#step(name, (step) => ({ ...step, options: { ...step.options, [key]: value } }));
  }

  switchStep(name: StepName, enabled: boolean): void {
    this.#step(name, (step) => ({ ...step, enabled }));
  }

  setPreprocess(preprocess: string): void {
    this.edit({ ...this.current, preprocess });
  }

  usePreset(name: string): void {
    const make = PRESETS[name];
    if (make) this.edit({ ...make(), preprocess: this.current.preprocess });
  }

  undo(): void {
    const last = this.#past.at(-1);
    if (!last) return;
    this.#past = this.#past.slice(0, -1);
    this.#future = [this.current, ...this.#future];
    this.current = last;
  }

  redo(): void {
    const [next, ...rest] = this.#future;
    if (!next) return;
    this.#future = rest;
    this.#past = [...this.#past, this.current];
    this.current = next;
  }
}
