/** The table of families, and the two calls everybody needs: which family is this, and what does it see. */
import type { Model } from '../onnx';
import { nanodet } from './families/nanodet';
import { ultraface } from './families/ultraface';
import { yolov5 } from './families/yolov5';
import { yolov8 } from './families/yolov8';
import { yolox } from './families/yolox';
import { lastConvs, viewGraph } from './graph-walk';
import { ownPreprocess } from './metadata';
import { nms } from './nms';
import { toImageBox } from './preprocess';
import type { DecodeInput, DecodeOptions, Detection, DetectorSpec, Family, FamilyId, Placement } from './types';

/** In the order in which they are tried. */
export const FAMILIES = { yolox, yolov5, yolov8, nanodet, ultraface } satisfies Record<FamilyId, Family>;

/** As COCO evaluates: score ≥ 0.01, per-class NMS at IoU 0.65, 100 detections. */
export const COCO_OPTIONS: DecodeOptions = { scoreThreshold: 0.01, iouThreshold: 0.65, nms: 'per-class', maxDetections: 100 };

/** For looking at. */
export const PREVIEW_OPTIONS: DecodeOptions = { scoreThreshold: 0.3, iouThreshold: 0.45, nms: 'per-class', maxDetections: 100 };

/**
 * Recognises the detector family from operators and shapes, never names; null = a generic network. The preprocessing is
 * the family's convention unless the file says otherwise (see `withPreprocess`).
 */
export function matchFamily(model: Model): DetectorSpec | null {
  for (const family of Object.values(FAMILIES) as Family[]) {
    const spec = family.match(model);
    if (spec) return { ...spec, preprocess: ownPreprocess(model, spec.preprocess) };
  }
  return null;
}

/**
 * Corrects a spec by the outputs that a float network gave for a real image: logits or probabilities, decoded or raw.
 * Don't call it with a quantized network's outputs: a collapsed one has no meaningful range.
 */
export function refineSpec(spec: DetectorSpec, outputs: DecodeInput): DetectorSpec {
  const family: Family = FAMILIES[spec.family];
  return family.refine?.(spec, outputs) ?? spec;
}

/** Names of the last convolutions before the outputs: the layers that a generic network must keep whole too. */
export function headNodes(model: Model): readonly string[] {
  const outputs = model.graph.outputs.map((output) => output.name);
  return lastConvs(viewGraph(model), outputs).map((conv) => conv.node.name);
}

/**
 * Detections of one image, best first, in image pixels and clipped to the image.
 *
 * @example
 * const { input, placement } = preprocess(image, spec.preprocess);
 * const outputs = await session.run({ [spec.input]: { dtype: 'float32', dims: inputDims(spec.preprocess), data: input } });
 * detect(spec, outputs, placement, PREVIEW_OPTIONS); // [{ x: 12.1, y: 30.4, width: …, score: 0.91, classIndex: 16 }, …]
 * @throws StudioError 'runtime' when an output is missing or of another size
 */
export function detect(spec: DetectorSpec, outputs: DecodeInput, placement: Placement, options: DecodeOptions): Detection[] {
  const family: Family = FAMILIES[spec.family];
  const candidates = family.decode(spec, outputs, options.scoreThreshold);
  const { boxes, scores, classes } = candidates;
  return nms(candidates, options).map((i) => ({
    ...toImageBox(boxes[i * 4]!, boxes[i * 4 + 1]!, boxes[i * 4 + 2]!, boxes[i * 4 + 3]!, placement),
    score: scores[i]!,
    classIndex: classes[i]!,
  }));
}
