/**
 * Ultra-Light-Fast-Generic-Face-Detector: scores [1, N, 2] (background, face; softmax applied) and boxes [1, N, 4]
 * (x1, y1, x2, y2 in 0…1), N = anchors 3, 2, 2, 3 on strides 8, 16, 32, 64.
 */
import { collector, outputData, scoring } from '../collect';
import { dimsOf, lastConvs, viewGraph } from '../graph-walk';
import { gridOf } from '../levels';
import type { Family } from '../types';
import { yoloxPreprocess } from './yolox';

const ANCHORS: readonly (readonly [stride: number, anchors: number])[] = [
  [8, 3],
  [16, 2],
  [32, 2],
  [64, 3],
];

export const ultraface: Family = {
  id: 'ultraface',
  label: 'UltraFace',

  match(model) {
    const base = yoloxPreprocess(model);
    if (!base || model.graph.outputs.length !== 2) return null;
    const view = viewGraph(model);
    const levels = ANCHORS.map(([stride]) => gridOf(stride, base.width, base.height));
    const count = levels.reduce((sum, { rows, cols }, i) => sum + rows * cols * ANCHORS[i]![1], 0);
    const named = (channels: number) =>
      model.graph.outputs.find(({ name }) => {
        const dims = dimsOf(view, name);
        return dims?.length === 3 && dims[1] === count && dims[2] === channels;
      })?.name;
    const scores = named(2);
    const boxes = named(4);
    if (!scores || !boxes) return null;
    return {
      family: 'ultraface',
      variant: 'decoded',
      input: model.graph.inputs[0]!.name,
      outputs: [scores, boxes],
      preprocess: { ...base, channels: 'rgb', resize: 'stretch', mean: [127, 127, 127], std: [128, 128, 128] },
      numClasses: 1,
      classNames: ['face'],
      levels,
      sigmoidApplied: true,
      endNodes: [],
      protectedNodes: lastConvs(view, [scores, boxes]).map((conv) => conv.node.name),
    };
  },

  decode(s, outputs, scoreThreshold) {
    const { width, height } = s.preprocess;
    const count = s.levels.reduce((sum, { rows, cols }, i) => sum + rows * cols * ANCHORS[i]![1], 0);
    const scores = outputData(outputs, s.outputs[0]!, count * 2);
    const boxes = outputData(outputs, s.outputs[1]!, count * 4);
    const found = collector(1, scoring(true, scoreThreshold));
    const faces = { data: scores, offset: 1, cellStep: 2, channelStep: 1 };
    for (let i = 0; i < count; i++) {
      if (!(scores[i * 2 + 1]! >= scoreThreshold)) continue;
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((c) => boxes[i * 4 + c]!) as [number, number, number, number];
      found.add(x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height, 1, faces, i);
    }
    return found.done();
  },
};
