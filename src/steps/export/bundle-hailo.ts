/** The bundle for Hailo's Dataflow Compiler: cut float network, calibration set, model script, NMS configuration, compile.py. */
import { checkDevice } from '../../devices';
import { COMPILE_SCRIPT, COMPILE_SHELL } from './compile-py';
import { type Job, json, limits, manifestOf } from './job';
import { bundleNetwork } from './network';
import { precisionCommands, rangeCommands } from './precision';
import { readme, toFillIn } from './readme';
import { depthwiseNodes, modelScript, nmsArch, nmsConfig, type ScriptPreset } from './script';

export async function hailoBundle(job: Job): Promise<ReadonlyMap<string, string>> {
  const { float, quant, rows, device, settings, hostOrder } = job;
  const network = bundleNetwork(float);
  const { preprocess } = network;
  const images = await job.images(network);
  const nms = nmsArch(network, float.spec);
  const wanted = settings.scriptPreset as ScriptPreset | 'auto';
  const preset = wanted === 'auto' ? (depthwiseNodes(network.model).length > 0 ? 'depthwise' : 'plain') : wanted;
  const family = float.spec?.family ?? null;
  const plan = quant?.plan ?? [];
  const precision = precisionCommands(network.model, device, plan, nms ? network.model.graph.outputs.map(({ name }) => name) : []);
  const ranges = settings.activationRanges === 'studio' ? rangeCommands(network.model, device, plan) : [];
  const manifest = {
    ...manifestOf(job, network),
    heads: network.heads,
    nms,
    qdq: quant ? 'model.qdq.onnx' : null,
    to_fill_in: toFillIn(network, family, nms),
  };
  const script = modelScript({ network, preprocess, hostOrder, images: images.count, preset, nms, precision: precision.lines, ranges });
  const texts = new Map<string, string>([['model.alls', script]]);
  if (nms) texts.set('nms_config.json', json(nmsConfig(network, float.spec!, nms, settings.scoreThreshold as number)));
  texts.set('bundle.json', json(manifest)).set('compile.py', COMPILE_SCRIPT).set('compile.sh', COMPILE_SHELL);
  job.network(network.model);
  const text = readme({
    ...{ name: float.name, device, network, family, preprocess, hostOrder, preset, nms, rows },
    ...{ images: images.count, skipped: images.skipped, files: job.names(texts), sixteenBit: precision.lines.length > 0 },
    findings: checkDevice(network.model, device),
    notes: [...network.notes, ...precision.notes, ...(quant?.notes ?? []), ...limits(job)],
  });
  return texts.set('README.md', text);
}
