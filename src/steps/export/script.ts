/**
 * The model script (.alls) and the NMS configuration. Layers get their numbers only when the compiler parses the
 * network, so both name ONNX nodes as {{node}}, which compile.py replaces. Only documented commands are written.
 */
import type { DetectorSpec, Preprocess } from '../../models';
import { attrInt, type Model } from '../../onnx';
import type { BundleNetwork } from './network';
import type { HostOrder } from './npy';

export type ScriptPreset = 'plain' | 'depthwise';

/** Images that the better optimization levels want. */
export const FULL_CALIBRATION = 1024;

/** Family → the runtime's decoder, for the families whose head branches are known. */
export type NmsArch = 'yolox' | 'yolov8';

export function nmsArch(network: BundleNetwork, spec: DetectorSpec | null): NmsArch | null {
  if (network.heads.length === 0) return null;
  return spec?.family === 'yolox' || spec?.family === 'yolov8' ? spec.family : null;
}

const hole = (node: string) => `{{${node}}}`;

/** Convolutions with one input channel per group. */
export function depthwiseNodes(model: Model): readonly string[] {
  return model.graph.nodes
    .filter((n) => n.op === 'Conv' && attrInt(n, 'group', 1) > 1 && model.graph.initializers.get(n.inputs[1] ?? '')?.dims[1] === 1)
    .map((n) => n.name);
}

export interface ScriptInput {
  readonly network: BundleNetwork;
  readonly preprocess: Preprocess;
  readonly hostOrder: HostOrder;
  /** Calibration images in the bundle. */
  readonly images: number;
  readonly preset: ScriptPreset;
  readonly nms: NmsArch | null;
  /** Commands made of the quantization plan: 16-bit layers, which then replace the preset's, and ranges. */
  readonly precision: readonly string[];
  readonly ranges: readonly string[];
}

/** True where the device must swap red and blue: host and model differ. */
export function swapsColours(p: Preprocess, hostOrder: HostOrder): boolean {
  return p.channels !== 'gray' && p.channels !== hostOrder;
}

/** Mean and std of the input's channels in the model's order; `identity` where (x − mean) / std changes nothing. */
export function normalization(p: Preprocess): {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly identity: boolean;
} {
  const count = p.channels === 'gray' ? 1 : 3;
  const mean = p.mean.slice(0, count);
  const std = p.std.slice(0, count);
  return { mean, std, identity: mean.every((m) => m === 0) && std.every((s) => s === 1) };
}

/** Each command goes in right behind the input, so the last one is nearest to it: the host's image is swapped, then normalised. */
function inputCommands({ preprocess, hostOrder }: ScriptInput): string[] {
  const lines: string[] = [];
  const scale = normalization(preprocess);
  if (!scale.identity) lines.push(`normalization1 = normalization([${scale.mean.join(', ')}], [${scale.std.join(', ')}])`);
  if (swapsColours(preprocess, hostOrder)) lines.push('input_conversion1 = input_conversion(bgr_to_rgb)');
  return lines;
}

/** The vendor's public record: depthwise networks with SiLU need clipping at the stem and 16 bits at depthwise and head layers. */
function depthwiseCommands({ network, precision, ranges }: ScriptInput): string[] {
  const stem = network.model.graph.nodes.find((n) => n.op === 'Conv')?.name;
  const depthwise = depthwiseNodes(network.model)[0];
  const wide = [...(depthwise ? [depthwise] : []), ...(network.heads.length > 0 ? network.endNodes : [])];
  const lines: string[] = [];
  if (stem && ranges.length === 0)
    lines.push(
      `pre_quantization_optimization(activation_clipping, layers=[${hole(stem)}], mode=percentile, clipping_values=[0.01, 99.99])`,
    );
  lines.push('post_quantization_optimization(bias_correction, policy=enabled)');
  if (wide.length > 0 && precision.length === 0) lines.push(`quantization_param([${wide.map(hole).join(', ')}], precision_mode=a16_w16)`);
  return lines;
}

/** Level 2 fine-tunes, which on fewer than 1,024 images was seen to destroy the boxes; level 1 corrects biases. */
export function optimizationLevel(images: number): 1 | 2 {
  return images >= FULL_CALIBRATION ? 2 : 1;
}

export function modelScript(input: ScriptInput): string {
  const { images, preset, nms, network, hostOrder } = input;
  const lines = [
    '# Model script of a Bonsai Studio bundle. Names in double braces are ONNX nodes of model.onnx; compile.py replaces',
    '# them by layer names and writes the result to out/model.alls.',
    `# The host sends ${hostOrder.toUpperCase()} images, 0-255, not normalised.`,
    ...inputCommands(input),
    `model_optimization_flavor(optimization_level=${optimizationLevel(images)}, compression_level=0)`,
    `model_optimization_config(calibration, batch_size=${Math.min(8, images)}, calibset_size=${Math.min(images, FULL_CALIBRATION)})`,
    ...input.ranges,
    ...(preset === 'depthwise' ? depthwiseCommands(input) : []),
    ...input.precision,
    // Heads cut at their Conv: the runtime takes class scores as they come.
    ...(nms === 'yolov8' ? network.heads.map(({ cls }) => `change_output_activation(${hole(cls)}, sigmoid)`) : []),
    ...(nms ? [`nms_postprocess("NMS_CONFIG", meta_arch=${nms}, engine=cpu)`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Box distribution of YOLOv8: 16 bins a side. */
const YOLOV8_BINS = 16;

export function nmsConfig(network: BundleNetwork, spec: DetectorSpec, arch: NmsArch, scoreThreshold: number): Record<string, unknown> {
  const decoders = [...network.heads]
    .sort((a, b) => a.stride - b.stride)
    .map(({ stride, reg, obj, cls }) => ({
      name: `bbox_decoder_${stride}`,
      stride,
      reg_layer: hole(reg),
      ...(obj === null ? {} : { objectness_layer: hole(obj) }),
      cls_layer: hole(cls),
    }));
  return {
    nms_scores_th: scoreThreshold,
    nms_iou_th: 0.65,
    image_dims: [spec.preprocess.height, spec.preprocess.width],
    max_proposals_per_class: 100,
    classes: spec.numClasses,
    ...(arch === 'yolov8' ? { regression_length: YOLOV8_BINS } : { number_of_detection_heads: decoders.length }),
    bbox_decoders: decoders,
  };
}
