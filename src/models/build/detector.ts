/**
 * Small YOLOX-style detectors with random weights (Ge et al. 2021, "YOLOX: Exceeding YOLO Series in 2021"): Focus stem, CSP
 * stages with residual bottlenecks, spatial pyramid pooling, PAFPN with nearest upsampling, decoupled heads at strides 8,
 * 16 and 32, SiLU throughout. The output is raw: boxes undecoded, scores after a sigmoid.
 */
import { StudioError } from '../../numerics';
import { type Model, makeModel, valueInfo } from '../../onnx';
import { LayerWriter, type Normalization } from './layers';

/** 3×3 convolutions as YOLOX-Nano has them (depthwise, then pointwise, each normalised), or dense as YOLOX-Tiny's. */
export type DetectorKind = 'depthwise' | 'dense';

export interface DetectorSize {
  /** After the stem and after each of the four stages; even. */
  readonly channels: readonly [number, number, number, number, number];
  /** Width of the heads. */
  readonly head: number;
  /** Bottlenecks of the four stages. */
  readonly depth: readonly [number, number, number, number];
}

export interface DetectorOptions extends DetectorSize {
  readonly kind: DetectorKind;
  readonly classNames: readonly string[];
  /** Pixels, multiples of 32. */
  readonly width: number;
  readonly height: number;
  /** Images at once, default 1. */
  readonly batch?: number;
  /** 'batch': statistics of the batch, opset 15; 'constants' (default): running statistics, opset 11. */
  readonly normalization?: Normalization;
  readonly seed: number;
}

/** What the embedded detectors are. */
export const SCENE_DETECTORS: Readonly<Record<DetectorKind, DetectorSize>> = {
  depthwise: { channels: [16, 24, 40, 64, 80], head: 40, depth: [1, 2, 2, 1] },
  dense: { channels: [16, 24, 32, 40, 48], head: 24, depth: [1, 2, 2, 1] },
};

/** Scores start low: of many cells few see something (Lin et al. 2017, "Focal Loss", prior 0.01). */
const PRIOR = -Math.log(99);

/**
 * Where only depthwise convolutions read a value, its channels may have any scales: each is normalised by itself behind
 * them. Training leaves such scales as they are, and released networks have them: the outputs of YOLOX-Nano's stem differ
 * up to 700 times. It is what breaks such networks in INT8, so the embedded one's backbone starts with it.
 */
const CHANNEL_SPREAD = 256;

class Blocks extends LayerWriter {
  readonly #spread: number;

  constructor(
    readonly kind: DetectorKind,
    normalization: Normalization,
    seed: number,
  ) {
    super(normalization, seed);
    this.#spread = kind === 'depthwise' ? CHANNEL_SPREAD : 1;
  }

  conv3(layer: string, x: string, cin: number, cout: number, stride: number): string {
    if (this.kind === 'dense') return this.convAct(layer, x, cin, cout, 3, stride);
    return this.convAct(`${layer}.1`, this.convAct(`${layer}.0`, x, cin, cin, 3, stride, cin), cin, cout);
  }

  concat(layer: string, values: readonly string[]): string {
    return this.add('Concat', layer, values, { axis: 1 });
  }

  /** Cross-stage partial block: half of the channels through bottlenecks, half past them. */
  csp(layer: string, x: string, cin: number, cout: number, depth: number, residual: boolean): string {
    const half = cout / 2;
    let through = this.convAct(`${layer}.through`, x, cin, half);
    for (let i = 0; i < depth; i++) {
      const block = `${layer}.blocks.${i}`;
      const reduced = this.convAct(`${block}.reduce`, through, half, half, 1, 1, 1, residual ? this.#spread : 1);
      const y = this.conv3(`${block}.conv`, reduced, half, half, 1);
      through = residual ? this.add('Add', block, [through, y]) : y;
    }
    const past = this.convAct(`${layer}.past`, x, cin, half);
    return this.convAct(`${layer}.join`, this.concat(layer, [through, past]), 2 * half, cout);
  }

  /** Every second row and column to channels, in YOLOX's order. */
  focus(x: string, cout: number): string {
    const from = [0, 1].map((i) => this.ints(`stem.from.${i}`, [i]));
    const [end, step] = [this.ints('stem.end', [2 ** 31 - 1]), this.ints('stem.step', [2])];
    const axes = [2, 3].map((axis) => this.ints(`stem.axis.${axis}`, [axis]));
    const rows = from.map((start, i) => this.add('Slice', `stem.rows.${i}`, [x, start, end, axes[0]!, step]));
    const parts = from.flatMap((start, i) =>
      rows.map((row, j) => this.add('Slice', `stem.columns.${2 * i + j}`, [row, start, end, axes[1]!, step])),
    );
    return this.convAct('stem.conv', this.concat('stem', parts), 12, cout, 3, 1, 1, this.#spread);
  }

  spp(layer: string, x: string, channels: number): string {
    const small = this.convAct(`${layer}.reduce`, x, channels, channels / 2);
    const pools = [3, 5, 7].map((kernel, i) => {
      const pad = kernel >> 1;
      return this.add('MaxPool', `${layer}.pools.${i}`, [small], {
        kernel_shape: [kernel, kernel],
        pads: [pad, pad, pad, pad],
        strides: [1, 1],
      });
    });
    return this.convAct(`${layer}.join`, this.concat(layer, [small, ...pools]), channels * 2, channels);
  }

  /** Twice the size, nearest. */
  up(layer: string, x: string, roi: string, scales: string): string {
    const attributes = { coordinate_transformation_mode: 'asymmetric', mode: 'nearest', nearest_mode: 'floor' };
    return this.add('Resize', layer, [x, roi, scales], attributes);
  }

  /** One level's [batch, 5 + classes, cells]: box and objectness share a branch, the classes have their own. */
  head(layer: string, x: string, cin: number, width: number, classes: number, cells: readonly [batch: number, count: number]): string {
    const stem = this.convAct(`${layer}.stem`, x, cin, width);
    const reg = this.conv3(`${layer}.reg_conv`, stem, width, width, 1);
    const box = this.linear(`${layer}.reg`, reg, width, 4, 0);
    const objectness = this.add('Sigmoid', `${layer}.obj`, [this.linear(`${layer}.obj`, reg, width, 1, PRIOR)]);
    const cls = this.conv3(`${layer}.cls_conv`, stem, width, width, 1);
    const scores = this.add('Sigmoid', `${layer}.cls`, [this.linear(`${layer}.cls`, cls, width, classes, PRIOR)]);
    const shape = this.ints(`${layer}.shape`, [cells[0], 5 + classes, cells[1]]);
    return this.add('Reshape', layer, [this.concat(layer, [box, objectness, scores]), shape]);
  }
}

/**
 * @returns a network from "images" [batch, 3, height, width] to "output" [batch, cells, 5 + classes]
 * @throws StudioError 'bad-option' for sizes that the strides don't divide
 */
export function buildDetector(options: DetectorOptions): Model {
  const { kind, classNames, width, height, batch = 1, normalization = 'constants', seed, channels, head, depth } = options;
  if (width % 32 !== 0 || height % 32 !== 0 || width < 32 || height < 32)
    throw new StudioError('bad-option', `${width}×${height} is no size for this detector.`, 'Width and height must be multiples of 32.');
  const b = new Blocks(kind, normalization, seed);
  const [c0, c1, c2, c3, c4] = channels;
  const [d1, d2, d3, d4] = depth;
  const stage = (layer: string, x: string, cin: number, cout: number, blocks: number) =>
    b.csp(`${layer}.1`, b.conv3(`${layer}.0`, x, cin, cout, 2), cout, cout, blocks, true);
  const p3 = stage('dark3', stage('dark2', b.focus('images', c0), c0, c1, d1), c1, c2, d2);
  const p4 = stage('dark4', p3, c2, c3, d3);
  const pooled = b.spp('dark5.1', b.conv3('dark5.0', p4, c3, c4, 2), c4);
  const p5 = b.convAct('lateral5', b.csp('dark5.2', pooled, c4, c4, d4, false), c4, c3);
  // Opset 11 wants a region of interest, which only another mode reads.
  const roi = b.floats('up.roi', [0], () => 0);
  const scales = b.floats('up.scales', [4], (i) => (i < 2 ? 1 : 2));
  const joined4 = b.concat('merge4.in', [b.up('up5', p5, roi, scales), p4]);
  const m4 = b.convAct('lateral4', b.csp('merge4', joined4, 2 * c3, c3, 1, false), c3, c2);
  const n3 = b.csp('merge3', b.concat('merge3.in', [b.up('up4', m4, roi, scales), p3]), 2 * c2, c2, 1, false);
  const n4 = b.csp('out4', b.concat('out4.in', [b.conv3('down3', n3, c2, c2, 2), m4]), 2 * c2, c3, 1, false);
  const n5 = b.csp('out5', b.concat('out5.in', [b.conv3('down4', n4, c3, c3, 2), p5]), 2 * c3, c4, 1, false);
  const classes = classNames.length;
  const levels = (
    [
      [n3, c2, 8],
      [n4, c3, 16],
      [n5, c4, 32],
    ] as const
  ).map(([x, cin, stride], i) => b.head(`heads.${i}`, x, cin, head, classes, [batch, (width / stride) * (height / stride)]));
  const all = b.add('Concat', 'heads', levels, { axis: 2 });
  const transposed = b.add('Transpose', 'heads', [all], { perm: [0, 2, 1] });
  const cells = [8, 16, 32].reduce((sum, stride) => sum + (width / stride) * (height / stride), 0);
  const nodes = b.nodes.map((n) => (n.outputs[0] === transposed ? { ...n, outputs: ['output'] } : n));
  const model = makeModel({
    inputs: [valueInfo('images', 'float32', [batch, 3, height, width])],
    outputs: [valueInfo('output', 'float32', [batch, cells, 5 + classes])],
    nodes,
    initializers: b.initializers,
    opset: normalization === 'batch' ? 15 : 11,
    name: `scenes-${kind}`,
  });
  return { ...model, irVersion: normalization === 'batch' ? 8 : 6, metadata: { names: JSON.stringify({ ...classNames }) } };
}
