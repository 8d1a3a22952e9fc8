import { StudioError } from '../numerics';
import { type AnalysisReport, analyzeRecipe, type ImageSet, type LayerAnalysis, type Story, takeFirst, tellRecipe } from '../pipeline';
import { type CommandResult, type Common, readRecipe, withEngine } from './commands';
import { readModelFile } from './files';
import { openImages } from './images';
import type { ProgressLine } from './progress';
import { columns } from './tables';

const USAGE = 'Usage: analyze MODEL --calib DIR [--coco DIR] [--recipe RECIPE] [--image FILE] [--seconds N] [--json]';

interface AnalyzeArguments extends Common {
  readonly model?: string;
  readonly calib?: string;
  readonly coco?: string;
  readonly recipe: string;
  readonly image?: string;
  readonly seconds?: number;
}

/** Layers in the table; --json has them all. */
const SHOWN = 20;

const figure = (x: number | null): string => (x === null ? '–' : x === 0 ? '0' : x.toPrecision(3));
const db = (x: number | null): string => (x === null ? '–' : x.toFixed(1));

function layerLines(layer: LayerAnalysis): string[] {
  return layer.verdicts.map(({ sentence, repair, gain, layerGain }) => {
    const advice = repair
      ? ` Try ${Object.entries(repair)
          .map(([key, value]) => `${key}: ${value}`)
          .join(', ')}.`
      : '';
    const measured = [
      ...(gain ? [`whole network ${figure(gain.before)} → ${figure(gain.after)}`] : []),
      ...(layerGain ? [`this layer alone ${figure(layerGain.before)} → ${figure(layerGain.after)}`] : []),
    ];
    return `  ${layer.node}: ${sentence}${advice}${measured.length > 0 ? ` Output error, ${measured.join('; ')}.` : ''}`;
  });
}

export function analysisText(report: AnalysisReport): string {
  const { whole, layers } = report;
  const line = (name: string, part: keyof AnalysisReport['whole']): string => {
    const { outputError, sqnrDb, cosine } = whole[part];
    return `${name.padEnd(17)} output error ${figure(outputError)}, SQNR ${db(sqnrDb)} dB, cosine ${cosine.toFixed(4)}`;
  };
  const rows = layers
    .slice(0, SHOWN)
    .map((l) => [
      l.node,
      l.kind,
      figure(l.sensitivity),
      figure(l.weightSensitivity),
      db(l.sqnrAloneDb),
      db(l.weightSqnrDb),
      db(l.sqnrAccumulatedDb),
      l.cosineAccumulated.toFixed(4),
    ]);
  const head = ['layer', 'kind', 'error: activation', 'weights', 'dB: activation', 'weights', 'accumulated', 'cosine'];
  const causes = layers.slice(0, SHOWN).flatMap(layerLines);
  return [
    `${report.model}: ${report.images} images, ${report.seconds.toFixed(1)} s${report.complete ? '' : ', ended by its time: give it more --seconds'}`,
    line('weights only', 'weightsOnly'),
    line('activations only', 'activationsOnly'),
    line('both', 'both'),
    '',
    columns([head, ...rows]),
    ...(causes.length > 0 ? ['', ...causes] : []),
  ].join('\n');
}

function storyText({ image, frames, lost, layers }: Story): string {
  const list = (histogram: Readonly<Record<string, number>>): string =>
    Object.entries(histogram)
      .slice(0, 6)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'nothing';
  return [
    `${image.fileName}:`,
    ...frames.map((f) => `  ${String(f.layersQuantized).padStart(4)} of ${layers} layers quantized: ${list(f.classHistogram)}`),
    ...lost.map(
      ({ className, score, layers: moved }) =>
        `  lost: ${className}, score ${score.float.toFixed(2)} → ${score.quantized.toFixed(2)}; moved most by ${moved.map(({ node, deltaLogit }) => `${node} (${deltaLogit.toFixed(2)})`).join(', ')}`,
    ),
  ].join('\n');
}

/** @throws StudioError 'bad-option' when no image has that name */
function findImage(images: ImageSet, file: string): number {
  const name = file.replaceAll('\\', '/');
  const found = images.entries.findIndex(
    ({ fileName }) => name === fileName || name.endsWith(`/${fileName}`) || fileName.endsWith(`/${name}`),
  );
  if (found < 0)
    throw new StudioError(
      'bad-option',
      `${images.name} has no image "${file}".`,
      `Give one of its files, e.g. ${images.entries[0]!.fileName}.`,
    );
  return found;
}

export async function analyzeCommand(args: AnalyzeArguments, progress: ProgressLine): Promise<CommandResult> {
  const recipe = { ...readRecipe(args.recipe), ...(args.preprocess === 'auto' ? {} : { preprocess: args.preprocess }) };
  const file = readModelFile(args.model, USAGE);
  if (!args.calib) throw new StudioError('bad-option', 'No calibration images were given.', USAGE);
  const calibration = await openImages(args.calib);
  const evaluation = args.coco ? takeFirst(await openImages(args.coco), args.limit) : null;
  const image = args.image === undefined ? null : findImage(evaluation ?? calibration, args.image);
  return withEngine(args.threads, progress, async (env) => {
    const known = new Map<string, unknown>();
    const cache = {
      get: async (hash: string) => known.get(hash),
      put: async (hash: string, value: unknown) => void known.set(hash, value),
    };
    const input = { name: file.name, model: file.bytes, external: file.external, calibration, evaluation };
    const report = await analyzeRecipe(recipe, input, { ...env, cache }, { seconds: args.seconds });
    const story = image === null ? null : await tellRecipe(recipe, input, image, { ...env, cache });
    for (const note of calibration.notes) progress.note(note);
    const text = [analysisText(report), ...(story ? [storyText(story)] : [])].join('\n\n');
    return { json: { recipe: recipe.name, engine: env.engine.version, ...report, story }, text };
  });
}
