/** Japanese for what the other steps say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const steps: Templates = {
  // steps/calibrate/calibrate.ts
  Calibrating: 'キャリブレーション中',
  'Calibration left out {} of {} images that could not be decoded: {}.':
    '{1}枚中{0}枚の画像をデコードできず、キャリブレーションから除外しました：{2}。',
  'None of the {} images of "{}" could be used to calibrate.': '「{1}」の画像{0}枚は、どれもキャリブレーションに使えませんでした。',
  '{} gave up after {} images, the rest was measured by {}: {}': '{0:ja}は画像{1}枚の後に停止し、残りは{2:ja}で測定しました：{3:ja}',
  '{} needs a second input "{}" besides the image.': '{0} には画像のほかに、2つ目の入力「{1}」が必要です。',
  '{} has no input that an image fits.': '{0} に、画像を渡せる入力がありません。',
  'Only networks with one image input can be calibrated.': 'キャリブレーションできるのは、画像入力が1つだけのモデルです。',
  'no image': '画像なし',
  // steps/calibrate/measure-gpu.ts
  'The {} engine has no GPU device.': '{0}エンジンにはGPUデバイスがありません。',
  '"{}" is {}: the GPU measures float32 only.': '「{0}」は{1}です。GPUで測定できるのはfloat32だけです。',
  'Value "{}"': '値「{0}」',
  'Value "{}" has infinite or NaN values.': '値「{0}」に無限大かNaNがあります。',
  'Choose WASM as the engine; if it stays, export the model again.':
    'エンジンにWASMを選んでください。それでも起きる場合は、モデルを書き出し直してください。',
  // steps/common.ts
  "The recipe's option {}.{} is {}.": 'レシピのオプション {0}.{1} が{2}になっています。',
  'It must be a number from {} to {}.': '{0}〜{1}の数値にしてください。',
  'It must be one of: {}.': '次のいずれかにしてください：{0}。',
  'The recipe\'s step "{}" has no option "{}".': 'レシピのステップ「{0}」にオプション「{1}」はありません。',
  // steps/evaluate/index.ts
  'None of the {} images of "{}" could be read.': '「{1}」の画像{0}枚は、どれも読み込めませんでした。',
  'Choose JPEG or PNG images.': 'JPEGかPNG画像を選んでください。',
  '{} of {} images could not be read and were left out.': '{1}枚中{0}枚の画像を読み込めず、除外しました。',
  'n/a: no ground truth. The annotation file has no boxes.':
    '算出できません：正解データがありません。アノテーションファイルにボックスがありません。',
  'n/a: no ground truth in the images that could be read.': '算出できません：読み込めた画像に正解データがありません。',
  "No labels: the figures are agreement with the FP32 network's own detections (score above {}).":
    'ラベルなし：数値はFP32モデル自身の検出結果（スコア{0}超）との一致度です。',
  'No labels: this network is its own reference, so it agrees fully with itself.':
    'ラベルなし：このモデル自身が基準なので、完全に一致します。',
  'n/a: the FP32 network sees nothing above a score of {} in these images.':
    '算出できません：これらの画像では、FP32モデルにスコア{0}を超える検出がありません。',
  'This network can’t be evaluated on images: it has no single image input.':
    '画像入力が1つだけではないため、このモデルは画像で評価できません。',
  'Open a network with one float32 or uint8 input of 1 or 3 channels.':
    '1または3チャネルのfloat32かuint8の入力が1つだけのモデルを開いてください。',
  Evaluating: '評価中',
  'Not a known detector: this network is the reference that later ones are compared with.':
    '既知の検出器ではありません。以後のモデルは、このモデルを基準に比較します。',
  'Not a known detector: judged by the SQNR of its outputs against FP32, at the output where it is lowest.':
    '既知の検出器ではないため、FP32に対する出力のSQNR（最も低い出力）で評価します。',
  'The image set "{}" is empty.': '画像セット「{0}」が空です。',
  // steps/calibrate/calibrate.ts
  'Choose a folder with JPEG or PNG images.': 'JPEGかPNG画像の入ったフォルダーを選んでください。',
  // steps/evaluate/index.ts
  '{}, {}, optimization {}': '{0:ja}、{1:ja}、最適化 {2}',
  // steps/evaluate/report.ts
  '{} % of the scores are equal to another of their class: within a tie the order in which boxes were found decides.':
    'スコアの{0} %が同じクラスの別の検出と同点です。同点内の順位は、ボックスの検出順で決まります。',
  'Boxes match, classes do not: is the class list in another order? mAP is {}, without classes it is {}.':
    'ボックスは合っていますが、クラスが合っていません。クラスの並び順を確認してください。mAPは{0}、クラスを無視すると{1}です。',
  // steps/export/bundle-onnx.ts
  '{} was not quantized, and {} takes the quantized network.': '{0} は量子化されていません。{1:ja}には量子化済みのモデルが必要です。',
  'Switch the quantize step on, or take the ONNX file alone.': '「量子化」ステップをオンにするか、ONNXファイルだけを使ってください。',
  // steps/export/network.ts
  'The network has {} inputs; the bundle takes one image input.':
    'モデルの入力が{0}個あります。バンドルにできるのは、画像入力が1つのモデルです。',
  'Cut the network so that one input remains.': '入力が1つだけになるようにモデルを切ってください。',
  'The input "{}" is no image, so no calibration set can be made for it.':
    '入力「{0}」は画像ではないため、キャリブレーション画像を作れません。',
  'Export the ONNX files alone.': 'ONNXファイルだけを書き出してください。',
  'The input "{}" has the shape [{}]; the compiler wants one image of a fixed size.':
    '入力「{0}」の形状が[{1}]です。コンパイラーには、固定サイズの画像1枚の入力が必要です。',
  'Export the model with batch 1.': 'バッチ1でモデルを書き出してください。',
  'The network has no node "{}" to end at.': '終端にするノード「{0}」がモデルにありません。',
  'The original ends at logits; the bundle’s network has Sigmoid nodes added behind objectness and classes.':
    '元のモデルはロジットで終わるため、バンドルのモデルではobjectnessとクラスの後ろにSigmoidノードを追加しました。',
  'The network uses opset {}, which can’t be written as {}; the parser is known to take 11 to 17.':
    'モデルのopset {0}は{1}に変換できません。パーサーが対応するのは11〜17です。',
  // steps/export/npy.ts
  'There is no memory for {} calibration images ({} MB).': 'キャリブレーション画像{0}枚（{1} MB）のメモリーが足りません。',
  'Export fewer calibration images, or export with the command line.':
    'キャリブレーション画像を減らすか、コマンドラインから書き出してください。',
  'Writing calibration images': 'キャリブレーション画像を書き出し中',
  'The bundle has no calibration image.': 'バンドルに入れるキャリブレーション画像がありません。',
  'Give a folder with images that can be decoded.': 'デコードできる画像の入ったフォルダーを指定してください。',
  // steps/export/precision.ts
  "{} more tensors get 16 bits with those of the plan, because their operators can't change width or the runtime joins them.":
    '計画のほかに{0}個のテンソルが16ビットになります（演算子がビット幅を変えられないか、ランタイムが結合するため）。',
  // steps/export/zip.ts
  '{} is not a path for a bundle.': '{0}はバンドル内のパスとして使えません。',
  'Use relative paths of plain names.': '通常の名前の相対パスにしてください。',
  'The zip could not be written: {}.': 'ZIPを書き出せませんでした：{0}。',
  'Export the bundle again.': 'バンドルをもう一度書き出してください。',
  // steps/inspect/index.ts
  'Input "{}" leaves its size open: shapes and MACs are for {}.': '入力「{0}」のサイズが可変なため、形状とMACsは{1}で計算しています。',
  // steps/open/probe.ts
  'There is no preprocessing "{}".': '前処理「{0}」はありません。',
  'Use auto or one of: {}.': 'autoか、次のいずれかにしてください：{0}。',
  // steps/evaluate/meta.ts
  boxes: '個',
};
