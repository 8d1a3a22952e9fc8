/** The whole plan of one network, and what the user should know about it. */
import type { DetectorSpec } from '../../models';
import type { Model, Node } from '../../onnx';
import type { RangesArtifact } from '../types';
import { isProbability, planActivations } from './activations';
import { planConstants } from './constants';
import type { GraphIndex } from './graph-index';
import { findLayers, type Layering } from './layers';
import type { QuantizeOptions } from './meta';
import type { ConstantQuant, QuantPlan } from './plan-types';
import { opKind } from './rules';

/** Fewer levels than this under a shared scale, and what the input says is lost. */
const FEW_LEVELS = 16;

interface Squeezed {
  readonly value: string;
  readonly levels: number;
  /** Scores beside values that reach far beyond 1. */
  readonly scores: boolean;
}

/** Values that a node puts side by side into one tensor; exporters write boxes over the raw ones in place, too. */
function joined(node: Node): readonly string[] {
  switch (node.op) {
    case 'Concat':
      return node.inputs;
    case 'ScatterND':
    case 'ScatterElements':
      return [node.inputs[0]!, node.inputs[2]!];
    default:
      return [];
  }
}

/** The joined value that an 8-bit scale over all inputs would leave the fewest levels. */
function mostSqueezed(index: GraphIndex, node: Node, ranges: RangesArtifact): Squeezed | null {
  const inputs = joined(node).flatMap((name) => {
    const stats = ranges.tensors.get(name);
    if (!stats) return [];
    // What few images show of a score says little: it may be anything from 0 to 1.
    return [
      isProbability(index, name)
        ? { name, min: 0, max: 1, probability: true }
        : { name, min: stats.min, max: stats.max, probability: false },
    ];
  });
  if (inputs.length < 2) return null;
  const lo = Math.min(0, ...inputs.map(({ min }) => min));
  const hi = Math.max(0, ...inputs.map(({ max }) => max));
  if (lo === hi) return null;
  const step = (hi - lo) / 255;
  const levels = ({ min, max }: { min: number; max: number }): number => Math.round(max / step) - Math.round(min / step) + 1;
  const worst = inputs.reduce((a, b) => (levels(b) < levels(a) ? b : a));
  const scores = hi > 4 && (worst.probability || (worst.min >= 0 && worst.max > 0 && worst.max <= 1));
  return { value: worst.name, levels: levels(worst), scores };
}

function concatNotes(layering: Layering, ranges: RangesArtifact, shared: readonly Node[], tailIsFloat: boolean): string[] {
  return layering.index.graph.nodes.flatMap((node) => {
    const inTail = layering.tail.has(node);
    if (!(inTail || shared.includes(node))) return [];
    const squeezed = mostSqueezed(layering.index, node, ranges);
    if (!squeezed || squeezed.levels > FEW_LEVELS) return [];
    const left = `${squeezed.levels} level${squeezed.levels === 1 ? '' : 's'}`;
    const what = squeezed.scores
      ? `boxes and scores share a scale: scores have ${left}`
      : `its inputs share a scale: "${squeezed.value}" has ${left}`;
    const where = `"${node.outputs[0]}" (${node.op} "${node.name}")`;
    return [inTail && tailIsFloat ? `${where} is left in float; in 8 bits, ${what}.` : `${where}: ${what}.`];
  });
}

function tailNote(layering: Layering): string[] {
  const counts = new Map<string, number>();
  for (const node of layering.tail)
    if (!layering.absorbed.has(node) && opKind(node) !== 'none' && opKind(node) !== 'layer')
      counts.set(node.op, (counts.get(node.op) ?? 0) + 1);
  if (counts.size === 0) return [];
  const list = [...counts].map(([op, n]) => (n === 1 ? op : `${n} ${op}`)).join(', ');
  return [`After the last layers ${list} stay${counts.size === 1 && list.indexOf(' ') < 0 ? 's' : ''} in float.`];
}

function floatNotes(layering: Layering): string[] {
  const { index, tail, absorbed, layers } = layering;
  const planned = new Set(layers.map(({ node }) => node));
  const inside = index.graph.nodes.filter((node) => !tail.has(node) && !absorbed.has(node));
  const byOp = new Map<string, number>();
  for (const node of inside) if (opKind(node) === 'float') byOp.set(node.op, (byOp.get(node.op) ?? 0) + 1);
  const notes = [...byOp].map(([op, n]) => `${n} ${op} between the layers ${n === 1 ? 'is' : 'are'} computed in float.`);
  const dynamic = inside.filter((node) => ['Conv', 'ConvTranspose', 'Gemm'].includes(node.op) && !planned.has(node.name));
  if (dynamic.length > 0)
    notes.push(
      `"${dynamic[0]!.name}" (${dynamic[0]!.op})${dynamic.length > 1 ? ` and ${dynamic.length - 1} more` : ''}: the weights are computed, not constant, and stay in float.`,
    );
  return notes;
}

/**
 * The same plan for other weights: activations stay, weight and bias parameters are chosen again.
 * @param model as the plan's, with other weights and biases
 */
export function replanConstants(model: Model, plan: QuantPlan, options: QuantizeOptions, spec: DetectorSpec | null): QuantPlan {
  const layering = findLayers(model.graph, spec, options.fuseActivations);
  return { ...plan, constants: planConstants(layering, plan.activations, options).constants };
}

/** What of a plan is quantized when only a part of it shall be: the rest stays in float. */
export interface PlanPart {
  activation(value: string): boolean;
  constant(constant: ConstantQuant): boolean;
}

/** A part of a plan, for asking what one tensor costs, or weights or activations alone. Biases go with their layer's weights. */
export function partialPlan(plan: QuantPlan, part: PlanPart): QuantPlan {
  const activations = new Map([...plan.activations].filter(([value]) => part.activation(value)));
  return { ...plan, activations, constants: plan.constants.filter((constant) => part.constant(constant)) };
}

/** @throws StudioError 'missing-data' or 'unsupported', see planActivations and planConstants */
export function planQuantization(model: Model, ranges: RangesArtifact, options: QuantizeOptions, spec: DetectorSpec | null): QuantPlan {
  const layering = findLayers(model.graph, spec, options.fuseActivations);
  const { activations, sharedConcats, notes } = planActivations(layering, ranges, options, spec);
  const weights = planConstants(layering, activations, options);
  return {
    activations,
    constants: weights.constants,
    layers: layering.layers,
    notes: [
      ...notes,
      ...(options.tail === 'float' ? tailNote(layering) : []),
      ...concatNotes(layering, ranges, sharedConcats, options.tail === 'float'),
      ...floatNotes(layering),
      ...weights.notes,
    ],
  };
}
