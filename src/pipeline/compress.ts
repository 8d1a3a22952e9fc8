/** Pruning in small steps, each followed by a short recovery, and a longer one at the end. */
import type { ImageSet, ModelArtifact, RangesArtifact, TrainingLook } from '../steps';
import { stepHash } from '../steps';
import { cached, imagesKey, type Run } from './run';
import { STEP_META } from './table';
import type { PruneStage } from './types';

type Kept = ReadonlyMap<string, readonly number[]>;

interface Cut {
  readonly artifact: ModelArtifact;
  readonly kept: Kept;
  readonly macs: { readonly before: number; readonly after: number };
  readonly notes: readonly string[];
}

interface Recovered {
  readonly artifact: ModelArtifact;
  readonly curve: readonly TrainingLook[];
  readonly notes: readonly string[];
}

/** Channels of the original that are left after two cuts, one after the other. */
function compose(first: Kept, second: Kept): Kept {
  const all = new Map(first);
  for (const [value, kept] of second) {
    const before = first.get(value);
    all.set(value, before ? kept.map((i) => before[i]!) : kept);
  }
  return all;
}

/** Images that recovery and QAT learn from: the training set where one was given, else the calibration images. */
export function trainingSet(run: Run): ImageSet {
  return run.input.training ?? run.input.calibration;
}

/** mAP of a network's detections on some images against the teacher's own; null for networks that are no detectors. */
export function validator(run: Run, teacher: ModelArtifact): (network: ModelArtifact, images: ImageSet) => Promise<number | null> {
  let reference: { readonly of: ImageSet; readonly detections: readonly (readonly never[])[] } | null = null;
  const quiet = { ...run.ctx, progress: () => {} };
  return async (network, images) => {
    if (!network.spec || !teacher.spec) return null;
    const { evaluate } = await import('../steps/evaluate');
    const unlabelled: ImageSet = { ...images, categories: null };
    const judge = (target: ModelArtifact, detections: readonly (readonly never[])[] | null) =>
      evaluate({ ...target, environment: 'FP32' }, unlabelled, run.options('evaluate'), quiet, { model: teacher.model, detections });
    if (reference?.of.entries !== images.entries)
      reference = { of: images, detections: (await judge(teacher, null)).detections as unknown as readonly (readonly never[])[] };
    return (await judge(network, reference.detections)).artifact.metrics.mAP;
  };
}

function cutOnce(run: Run, artifact: ModelArtifact, percent: number, ranges: RangesArtifact | null): Promise<Cut> {
  return run.step('prune', async () => {
    const options = { ...run.options('prune'), macsReduction: percent };
    const { calibration } = run.input;
    const inputs = [artifact.hash, ranges?.hash ?? '', imagesKey(calibration), run.env.engine.version, String(run.recipe.seed)];
    const key = await stepHash(STEP_META.prune, inputs, options);
    return cached(run.env.cache, key, async () => {
      const { prune } = await import('../steps/prune');
      const { artifact: pruned, report, kept } = await prune(artifact, options, run.ctx, ranges, calibration);
      const spec = pruned.spec && artifact.spec ? { ...pruned.spec, preprocess: artifact.spec.preprocess } : pruned.spec;
      return { artifact: { ...pruned, spec }, kept, macs: report.macs, notes: report.notes };
    });
  });
}

/** @param imageSteps absent: the option's */
async function recoverOnce(
  run: Run,
  student: ModelArtifact,
  original: ModelArtifact,
  kept: Kept,
  label: string,
  imageSteps: number,
  validate: ReturnType<typeof validator>,
): Promise<Recovered> {
  const images = trainingSet(run);
  const teacher = run.input.teacher ? await run.teacher() : original;
  const inputs = [student.hash, teacher.hash, imagesKey(images), run.env.engine.version, `${run.recipe.seed}:${imageSteps}`];
  const key = await stepHash(STEP_META.recover, inputs, run.options('recover'));
  return run.step('recover', async () => {
    const known = (await run.env.cache?.get(key)) as Recovered | undefined;
    if (known) {
      for (const look of known.curve) run.ctx.look?.(look);
      return known;
    }
    const { recover } = await import('../steps/recover');
    const ownChannels = teacher === original ? kept : null;
    const { artifact, report } = await recover(
      { student, teacher, images, kept: ownChannels, label, steps: imageSteps, validate },
      run.options('recover'),
      run.ctx,
    );
    const made: Recovered = { artifact, curve: report.curve, notes: report.notes };
    // What the user cut short isn't what the options ask for.
    if (!run.ctx.control?.stopped()) await run.env.cache?.put(key, made);
    return made;
  });
}

/** The last figure of a curve, or of the point that was kept. */
function best(curve: readonly TrainingLook[]): TrainingLook | null {
  return curve.reduce<TrainingLook | null>((least, look) => (least && least.unseen <= look.unseen ? least : look), null);
}

/**
 * Prunes as the recipe says; with recovery switched on in steps of `stepSize` percent of the MACs, each followed by a short
 * recovery, the last by the long one. A recovery without pruning trains the network as it is.
 * @param ranges for importances that want them; only for the first step
 */
export async function compress(run: Run, original: ModelArtifact): Promise<{ artifact: ModelArtifact; stages: readonly PruneStage[] }> {
  const pruning = run.enabled('prune');
  const recovering = run.enabled('recover') && run.options('prune').method !== 'unstructured';
  const validate = validator(run, original);
  if (recovering && run.input.teacher) (await import('../steps/recover')).checkTeacher(original, await run.teacher());
  const stages: PruneStage[] = [];
  let artifact = original;
  let kept: Kept = new Map();
  const target = pruning ? Number(run.options('prune').macsReduction) : 0;
  const count = pruning ? (recovering ? Math.max(1, Math.ceil(target / Number(run.options('prune').stepSize))) : 1) : 0;
  let wholeMacs = 0;
  let macs = 0;
  for (let step = 1; step <= count; step++) {
    const reach = (target * step) / count;
    // Percent of what is left now that takes it to `reach` percent of the whole.
    const percent = wholeMacs === 0 ? reach : 100 * (1 - (wholeMacs * (1 - reach / 100)) / macs);
    const wantsRanges = run.options('prune').importance === 'activation' && run.options('prune').method !== 'unstructured';
    if (percent >= 1) {
      const cut = await cutOnce(run, artifact, percent, wantsRanges ? await run.calibrate(artifact) : null);
      run.notes.push(...cut.notes);
      wholeMacs ||= cut.macs.before;
      macs = cut.macs.after;
      kept = compose(kept, cut.kept);
      artifact = cut.artifact;
    }
    if (!recovering) break;
    const done = 100 * (1 - macs / wholeMacs);
    const last = step === count;
    const label = `Recovery after −${done.toFixed(1)} % MACs`;
    const imageSteps = Number(run.options('recover')[last ? 'steps' : 'stepsBetween']);
    const cutOnly = artifact;
    let curve: readonly TrainingLook[] = [];
    if (imageSteps > 0) {
      const recovered = await recoverOnce(run, artifact, original, kept, label, imageSteps, validate);
      run.notes.push(...recovered.notes);
      curve = recovered.curve;
      artifact = recovered.artifact;
    }
    const stage: PruneStage = {
      reduction: done,
      macs,
      raw: curve[0]?.mAP ?? null,
      mAP: best(curve)?.mAP ?? null,
      changed: artifact !== cutOnly,
    };
    stages.push(stage);
    run.env.event?.({ type: 'stage', stage });
  }
  if (count === 0 && recovering) {
    const recovered = await recoverOnce(run, artifact, original, kept, 'Training', Number(run.options('recover').steps), validate);
    run.notes.push(...recovered.notes);
    artifact = recovered.artifact;
  }
  return { artifact, stages };
}
