import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesToImageSet } from '../../src/data/web';
import { checkDevice, DEVICES, type DeviceFinding } from '../../src/devices';
import { makeModel, node, parseModel, serializeModel, valueInfo } from '../../src/onnx';
import { parseRecipe } from '../../src/pipeline';
import { createNodeEngine } from '../../src/runtime/node';
import { calibrate } from '../../src/steps/calibrate';
import { inspect } from '../../src/steps/inspect';
import { prune } from '../../src/steps/prune';
import { coreWords, errorSentence, setLocale } from '../../src/ui/text';
import { artifactOf, context, noiseImages, smallNetwork } from '../steps/calibrate-network';

async function failure(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing failed');
}

const file = (path: string, text: string) => ({ path, file: new Blob([text]) });
const said = (findings: readonly DeviceFinding[]) => findings.map(({ reason, advice }) => `${coreWords(reason)}${coreWords(advice)}`);

beforeAll(() => setLocale('ja'));
afterAll(() => setLocale('en'));

describe('real troubles, in Japanese', () => {
  it('a truncated model', async () => {
    const bytes = serializeModel(smallNetwork());
    const sentence = errorSentence(await failure(() => parseModel(bytes.subarray(0, bytes.length / 2))));
    expect(sentence).toMatch(
      /^ファイルが途中で切れているか、壊れています。グラフに\d+バイト必要ですが、\d+バイトしかありません。もう一度ダウンロードするか、書き出し直してください。$/,
    );
  });

  it('an unknown operator: what the device check and ONNX Runtime say', async () => {
    const shape = [1, 3, 8, 8];
    const model = makeModel({
      inputs: [valueInfo('images', 'float32', shape)],
      outputs: [valueInfo('y', 'float32', shape)],
      nodes: [node('Blur', ['images'], ['y'])],
    });
    expect(said(checkDevice(model, DEVICES.hailo8))).toEqual(['演算子Blurは未知です。置き換えるか、手前でモデルを切ってください。']);
    const engine = await createNodeEngine({ threads: 1 });
    const sentence = errorSentence(await failure(() => engine.create(serializeModel(model))));
    await engine.dispose();
    expect(sentence).toMatch(/^ONNX Runtimeがモデルを読み込めませんでした：/);
    expect(sentence).toMatch(/モデルを書き出し直してください。$/);
  });

  it('calibration images that are not there, or are no images', async () => {
    const engine = await createNodeEngine({ threads: 1 });
    const [artifact, ctx] = [await artifactOf(smallNetwork()), context(engine)];
    const sentences = [
      errorSentence(await failure(() => filesToImageSet([file('photos/readme.md', '')], 'photos'))),
      errorSentence(await failure(() => calibrate(artifact, noiseImages(2, [0, 1]), { images: 2 }, ctx))),
    ];
    await engine.dispose();
    expect(sentences).toEqual([
      'photos に画像がありません。JPEGかPNGの入ったフォルダーを選んでください。',
      '「noise」の画像2枚は、どれもキャリブレーションに使えませんでした。JPEGかPNG画像の入ったフォルダーを選んでください。',
    ]);
  });

  it('a model of dynamic size', async () => {
    const model = smallNetwork();
    const open = { ...model, graph: { ...model.graph, inputs: [valueInfo('images', 'float32', ['batch', 3, null, null])] } };
    const [finding] = said(checkDevice(open, DEVICES.hailo8));
    expect(finding).toBe('入力の形状が[batch, 3, ?, ?]です。コンパイラーには固定サイズが必要です。先に次元を固定してください。');
    expect(inspect(await artifactOf(open)).notes.map(coreWords)).toEqual([
      '入力「images」のサイズが可変なため、形状とMACsは1×3×416×416で計算しています。',
    ]);
  });

  it('annotations, recipes and limits', async () => {
    const artifact = await artifactOf(smallNetwork());
    const ctx = context(null as never);
    const photo = file('photos/a.jpg', '');
    const troubles = [
      () => filesToImageSet([photo, file('photos/instances.json', '[1]')], 'photos'),
      () => filesToImageSet([photo, file('photos/instances.json', '{')], 'photos'),
      () => parseRecipe({ bonsai: 1, steps: [{ step: 'prune', options: { macsReduction: 700 } }] }),
      () => parseRecipe({ bonsai: 1, steps: [{ step: 'bake' }] }),
      () => prune(artifact, { method: 'structured', minChannels: 256 }, ctx),
    ];
    const sentences = [];
    for (const trouble of troubles) sentences.push(errorSentence(await failure(trouble)));
    expect(sentences).toEqual([
      'アノテーションファイルがJSONオブジェクトではありません。COCO形式のinstances.jsonを使ってください。',
      expect.stringMatching(
        /^photos\/instances\.json は正しいJSONではありません（1(文字目|行2列)：プロパティ名か「}」がありません）。アノテーションをもう一度書き出してください。$/,
      ),
      'レシピのオプション prune.macsReduction が700になっています。1〜90の数値にしてください。',
      'レシピのステップ1が"bake"になっています。使えるステップ：prune, recover, calibrate, quantize, evaluate, export。',
      '「small」には、この制限で枝刈りできるチャネルがありません。最小チャネル数か、チャネル数の倍数を小さくしてください。',
    ]);
  });
});
