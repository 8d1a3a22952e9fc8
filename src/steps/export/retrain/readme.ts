/** README.md of the bundle's retrain/ folder. */
import { describePreprocess } from '../../../models';
import { markdownText } from '../names';
import { table } from '../readme';
import type { RetrainSettings } from './settings';

const code = (...lines: readonly string[]) => `\`\`\`\n${lines.join('\n')}\n\`\`\``;

function lossText({ student, teacher }: RetrainSettings): string {
  if (student.heads.length === 0)
    return 'The outputs of this network are not known to be a YOLOX head: it learns the original’s outputs (squared error over their variance) and its features. Labels can’t be used.';
  const cells =
    teacher.heads.length > 0
      ? 'The original’s objectness and classes weigh each cell'
      : 'The original’s head differs, so only features and labels are compared';
  return `${cells}; with labels the YOLOX loss is used (SimOTA, IoU, objectness, classes). \`--loss distil\` needs images alone, \`--loss labels\` and \`--loss both\` an instances.json.`;
}

export function retrainReadme(settings: RetrainSettings): string {
  const { preprocess } = settings;
  const sections = [
    `# Retraining ${markdownText(settings.name)}`,
    'Made by Bonsai Studio. `retrain.py` trains `student.onnx`, the network of this bundle in float, towards `teacher.onnx`, the original. It needs Python 3.8 or newer with torch (1.13 or newer), numpy, onnx and Pillow.',
    'A few hundred images and a few minutes are what the studio itself can do. To win back what a deep cut lost, give this script all of COCO (118,000 images) and GPUs.',
    '## Images',
    'A folder with `images/` and, for labels, `instances.json` (COCO). Several folders may be given, some with labels and some without.',
    `The script prepares images as the recipe does: ${preprocess.width} × ${preprocess.height}, ${preprocess.resize}, border ${preprocess.pad}, ${markdownText(describePreprocess(preprocess))}.`,
    '## Run',
    'On one CPU or GPU:',
    code('python3 retrain.py --data coco/train2017 --out runs/1'),
    'On all GPUs of one machine (`--batch` counts the images of a step over all of them):',
    code('torchrun --nproc_per_node=gpu retrain.py --data coco/train2017 --out runs/1 --batch 128 --amp auto'),
    'torch 1.13 on Python 3.11 has a broken torchrun; `--redirects 1 --tee 1` before `retrain.py` mends it.',
    'On several machines: the same command on each, with the same files in the same places; `head` is the name of one of them, and `--out` is on a disk that all of them see.',
    code(
      'torchrun --nnodes=2 --nproc_per_node=gpu --rdzv_id=1 --rdzv_backend=c10d --rdzv_endpoint=head:29400 \\',
      '  retrain.py --data coco/train2017 --out runs/1 --batch 256 --amp auto',
    ),
    '`--dry-run` checks everything and trains nothing. Each line of the output, and of `runs/1/log.jsonl`, is a JSON object.',
    'A run that was killed goes on where its last checkpoint was (every `--save-seconds 60`): give the same command again. SIGTERM and Ctrl+C end it after the step, with a checkpoint. The number of processes may change in between.',
    '## What it learns',
    lossText(settings),
    table(
      ['Option', 'Default', 'What'],
      [
        [
          '`--w-cls` `--w-kl` `--w-feat` `--w-loc`',
          '1',
          'weights of objectness and classes, classes at `--temperature` 3, features, boxes',
        ],
        ['`--w-labels`', '1', 'factor on what comes from labels'],
        [
          '`--lr`',
          '4e-4',
          'step of a weight, relative to its output channel; 1.5e-3 was better after a cut of 25 % of the MACs, 1e-4 in a run of 60 steps',
        ],
        ['`--lr-bias`', '2e-3', 'step of a bias, relative to its channel’s deviation'],
        ['`--epochs` or `--steps`', '30', 'length; the rate rises over the first tenth and falls as a cosine'],
        ['`--holdout`', '0.1', 'share of the images (500 at most) that is not trained on'],
      ],
    ),
    'The averaged weights with the smallest loss on the held-out images are the result. If no step is better than the start, the network comes back as it was. BatchNormalization keeps its statistics.',
    '## Back to the studio',
    'Open `runs/1/retrained.onnx` in the studio, or give it to the command line. It has the same nodes and names as `student.onnx` and can be pruned again, quantized and exported; keep `teacher.onnx` as the teacher of the next round.',
    code('npm run bonsai -- run int8-fast --model runs/1/retrained.onnx --calib images/ --coco val/ --out bundle/'),
  ];
  return `${sections.join('\n\n')}\n`;
}
