/** The real networks, where they are on this machine. */
import { describe, expect, it } from 'vitest';
import { parseModel, serializeModel, valueInfo, withGraph } from '../../../src/onnx';
import { openModel } from '../../../src/steps/open';
import { maxDifference, randomFeeds, runBytes } from '../../onnx/ort';
import { HAS_DATA, modelNames, realModel } from '../../onnx/real';
import { bundleOf, run, textOf, unzipped } from './bundle';

const open = (name: string) => openModel(name, realModel(name));

describe.runIf(HAS_DATA)('bundles of real networks', () => {
  it('YOLOX-Nano: nine end nodes whose values are the original’s, accepted by --dry-run', async () => {
    const float = await open('yolox_nano.onnx');
    const files = await bundleOf(float);
    expect(run(unzipped(files), ['--dry-run'])).toMatchObject({ code: 0, err: '' });
    const { end_nodes } = JSON.parse(textOf(files, 'bundle.json'));
    expect(end_nodes).toEqual(
      [32, 16, 8].flatMap((stride) => {
        const end = float.spec!.endNodes.find((e) => e.stride === stride)!;
        return [end.reg, end.obj, end.cls];
      }),
    );
    const values = end_nodes.map((name: string) => float.model.graph.nodes.find((n) => n.name === name)!.outputs[0]!);
    const tapped = withGraph(float.model, { outputs: values.map((name: string) => valueInfo(name, 'float32', null)) });
    const feeds = randomFeeds(float.model, undefined, 1, 60);
    const [cut, whole] = [await runBytes(files.get('model.onnx')!, feeds), await runBytes(serializeModel(tapped), feeds)];
    const outputs = parseModel(files.get('model.onnx')!).graph.outputs.map((o) => o.name);
    expect(outputs.map((name) => cut[name]!.dims)).toEqual([13, 26, 52].flatMap((n) => [4, 1, 80].map((c) => [1, c, n, n])));
    expect(maxDifference(cut, whole)).toBe(0);
  });

  it.each(HAS_DATA ? modelNames() : [])('%s: a bundle that --dry-run accepts, or a sentence', async (name) => {
    const outcome = await open(name)
      .then((float) => bundleOf(float))
      .then((files) => run(unzipped(files), ['--dry-run']))
      .catch((error: Error) => error.message);
    const { code, err } = typeof outcome === 'string' ? { code: null, err: outcome } : outcome;
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });
});
