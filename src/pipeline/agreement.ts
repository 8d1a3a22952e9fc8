/** The bundle's statement that other engines compute the exported network alike: agreement.json and agreement.md. */
import type { AgreementReport, Engine, QuantArtifact, StepContext } from '../steps';
import type { RunEnvironment, RunInput } from './types';

/** Images that engines are compared on: each layer alone has tens of thousands of values already. */
const IMAGES = 2;

export interface Agreed {
  readonly report: AgreementReport;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** One sentence for the user. */
  readonly note: string;
}

const name = (engine: Engine): string => ({ node: 'Node', wasm: 'WASM', webgpu: 'WebGPU' })[engine.backend];

/** @returns null when the network takes no image, so that there is nothing to compare on */
export async function agreement(quant: QuantArtifact, input: RunInput, env: RunEnvironment, ctx: StepContext): Promise<Agreed | null> {
  const { engineAgreement, fewFeeds } = await import('../steps/export');
  const feeds = await fewFeeds(quant, input.calibration, IMAGES, ctx);
  if (feeds.length === 0) return null;
  const witness = (await env.witness?.()) ?? null;
  try {
    const levels = (engine: Engine) =>
      (['disabled', 'all'] as const).map((optimization) => ({ label: `${name(engine)}, level ${optimization}`, engine, optimization }));
    const subjects = [...levels(env.engine), ...(witness ? levels(witness) : []), ...(env.gpu ? levels(env.gpu).slice(1) : [])];
    ctx.progress({ step: 'export', label: 'Comparing engines', done: 0, total: 1 });
    const report = await engineAgreement(quant.model, feeds, subjects, ctx.cancel);
    const text = new TextEncoder();
    const files = new Map([
      ['agreement.json', text.encode(`${JSON.stringify(report, null, 1)}\n`)],
      ['agreement.md', text.encode(agreementMarkdown(report))],
    ]);
    return { report, files, note: agreementNote(report) };
  } finally {
    await witness?.dispose();
  }
}

function totals(layers: AgreementReport['engines'][number]['layers']) {
  const elements = layers.reduce((sum, l) => sum + l.elements, 0);
  const differing = layers.reduce((sum, l) => sum + l.differing, 0);
  const maxSteps = layers.reduce((most, l) => Math.max(most, l.maxSteps), 0);
  return { elements, differing, maxSteps };
}

const share = (part: number, whole: number): string => (whole === 0 ? '0 %' : `${((100 * part) / whole).toPrecision(2)} %`);

export function agreementNote({ reference, engines }: AgreementReport): string {
  const said = engines.map(({ subject, layers, failed }) => {
    if (failed) return `${subject} could not run it (${failed})`;
    const { elements, differing, maxSteps } = totals(layers);
    return differing === 0
      ? `${subject} is equal in every layer`
      : `${subject} differs in ${share(differing, elements)} of the values, by ${maxSteps} step${maxSteps === 1 ? '' : 's'} at most`;
  });
  return `Engines compared with ${reference}, each layer on the same inputs: ${said.join('; ')}.`;
}

export function agreementMarkdown(report: AgreementReport): string {
  const lines = [
    '# Agreement of engines on model.qdq.onnx',
    '',
    `Reference: ${report.reference} (${report.referenceVersion}), ${report.images} image${report.images === 1 ? '' : 's'}.`,
    'Each layer got the very integers that the reference gave its inputs; a difference belongs to that layer alone. End to',
    'end, single rounding flips grow from layer to layer: about 20 dB is usual between two correct engines on a deep network.',
    '',
  ];
  for (const { subject, version, layers, outputsDb, failed } of report.engines) {
    lines.push(`## ${subject} (${version})`, '');
    if (failed) {
      lines.push(`Could not run the network: ${failed}`, '');
      continue;
    }
    const { elements, differing, maxSteps } = totals(layers);
    const ends = Object.entries(outputsDb).map(([output, db]) => `${output} ${db.toFixed(1)} dB`);
    lines.push(`${differing} of ${elements} values differ, by ${maxSteps} steps at most. End to end: ${ends.join(', ')}.`, '');
    lines.push('| quantized value | values | differing | most steps |', '| --- | --- | --- | --- |');
    for (const l of layers) lines.push(`| ${l.value.replaceAll('|', '\\|')} | ${l.elements} | ${l.differing} | ${l.maxSteps} |`);
    lines.push('');
  }
  return `${lines.join('\n')}\n`;
}
