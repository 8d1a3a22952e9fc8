/** `npm run bonsai -- <command>`: the studio's core without a screen. Results on stdout, progress on stderr. */
import { parseArgs } from 'node:util';
import { describeError, StudioError } from '../numerics';
import { analyzeCommand } from './analyze';
import { type CommandResult, evaluateCommand, inspectCommand, presetsCommand, runCommand } from './commands';
import { showProgress } from './progress';
import { searchCommand } from './search';
import { terminalJson } from './tables';
import { trainCommand } from './train';

const USAGE = `Usage: npm run -s bonsai -- <command> [options]

  inspect MODEL                       parameters, MACs, family and layers of an ONNX model
  evaluate MODEL --coco DIR           COCO mAP; DIR holds instances.json and images/
  run RECIPE --model MODEL --calib DIR [--train DIR]… [--teacher MODEL] [--coco DIR] --out DIR
                                      replay a recipe (a JSON file or a preset) and write the bundle; recovery and QAT learn
                                      from --train (else from --calib), the original or --teacher teaches
  analyze MODEL --calib DIR [--coco DIR] [--recipe R] [--image FILE] [--seconds N]
                                      which layers cost most in INT8, why, and what helps; with --image (of --coco, else
                                      of --calib) its detections as one layer after the other is quantized
  search MODEL --calib DIR [--coco DIR] [--recipe R] [--seconds N] [--target PERCENT]
         [--trials N] [--out FILE]
                                      the best repairs for a model, scored on images held back or on those of --coco;
                                      goes on where an earlier search with the same --out ended
  train scenes-depthwise | scenes-dense [--steps N] [--seed S] [--out DIR] [--resume]
                                      an embedded detector from random weights; --resume goes on where a run was cut off
  presets                             the shipped recipes

Options
  --json            the last line on stdout is one JSON object
  --limit N         use the first N images of --coco, or N of the held-out scenes of a training
  DIR               a folder of images, or scenes:FIRST:COUNT for drawn ones with labels, e.g. scenes:500000:48
  --recipe R        where a search starts, or what is analysed: a JSON file or a preset (default: int8-percentile)
  --seconds N       a search or an analysis ends after this time (analysis: 60)
  --target PERCENT  a search ends with a recipe that keeps this much of FP32's mAP
  --trials N        a search ends after this many measurements
  --threads N       threads of ONNX Runtime (default: all cores, at most 4; training: 1)
  --preprocess P    auto (default) or a preset of the studio, e.g. bgr-0-255-letterbox-corner
  --help`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  coco: { type: 'string' },
  calib: { type: 'string' },
  train: { type: 'string', multiple: true },
  teacher: { type: 'string' },
  model: { type: 'string' },
  out: { type: 'string' },
  recipe: { type: 'string', default: 'int8-percentile' },
  seconds: { type: 'string' },
  target: { type: 'string' },
  trials: { type: 'string' },
  image: { type: 'string' },
  steps: { type: 'string' },
  seed: { type: 'string' },
  resume: { type: 'boolean', default: false },
  limit: { type: 'string' },
  threads: { type: 'string' },
  preprocess: { type: 'string', default: 'auto' },
} as const;

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new StudioError('bad-option', describeError(error).split(/\.\s/)[0]!.replace(/\.?$/, '.'), 'See --help.');
  }
}

function count(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new StudioError('bad-option', `${flag} is "${text}".`, 'It must be a whole number from 1.');
  return value;
}

function amount(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new StudioError('bad-option', `${flag} is "${text}".`, 'It must be a number above 0.');
  return value;
}

async function main(argv: readonly string[]): Promise<void> {
  const { values, positionals } = parse(argv);
  const [command, subject, ...more] = positionals;
  if (values.help || !command) {
    console.log(USAGE);
    return;
  }
  if (more.length) throw new StudioError('bad-option', `"${more[0]}" is one argument too many.`, 'See --help.');
  const common = { limit: count(values.limit, '--limit'), threads: count(values.threads, '--threads'), preprocess: values.preprocess };
  const progress = showProgress(process.stderr);
  const start = (): CommandResult | Promise<CommandResult> => {
    switch (command) {
      case 'inspect':
        return inspectCommand({ model: subject });
      case 'evaluate':
        return evaluateCommand({ model: subject, coco: values.coco, ...common }, progress);
      case 'run':
        return runCommand(
          {
            recipe: subject,
            model: values.model,
            calib: values.calib,
            train: values.train,
            teacher: values.teacher,
            coco: values.coco,
            out: values.out,
            ...common,
          },
          progress,
        );
      case 'analyze':
        return analyzeCommand(
          {
            model: subject,
            calib: values.calib,
            coco: values.coco,
            recipe: values.recipe,
            image: values.image,
            seconds: amount(values.seconds, '--seconds'),
            ...common,
          },
          progress,
        );
      case 'search':
        return searchCommand(
          {
            model: subject,
            calib: values.calib,
            coco: values.coco,
            recipe: values.recipe,
            out: values.out,
            seconds: amount(values.seconds, '--seconds'),
            target: amount(values.target, '--target'),
            trials: count(values.trials, '--trials'),
            ...common,
          },
          progress,
        );
      case 'train':
        return trainCommand(
          {
            name: subject,
            steps: count(values.steps, '--steps'),
            seed: count(values.seed, '--seed'),
            out: values.out,
            resume: values.resume,
            ...common,
          },
          progress,
        );
      case 'presets':
        return presetsCommand();
      default:
        throw new StudioError(
          'bad-option',
          `There is no command "${command}".`,
          'Commands are: inspect, evaluate, run, analyze, search, train, presets.',
        );
    }
  };
  let result: CommandResult;
  try {
    result = await start();
  } finally {
    progress.end();
  }
  console.log(values.json ? terminalJson(result.json) : result.text);
}

/** 2 = the input is wrong, 130 = interrupted (as shells have it), 1 = something here failed. */
function exitCode(error: unknown): number {
  if (!(error instanceof StudioError) || error.code === 'runtime' || error.code === 'storage') return 1;
  return error.code === 'cancelled' ? 130 : 2;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(describeError(error));
  if (!(error instanceof StudioError) && process.env.BONSAI_DEBUG) console.error(error);
  process.exitCode = exitCode(error);
}
