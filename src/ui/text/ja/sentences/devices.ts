/** Japanese for what the device check says; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const devices: Templates = {
  // devices/check.ts
  "The input's shape is [{}]; the compiler wants fixed sizes.": '入力の形状が[{0}]です。コンパイラーには固定サイズが必要です。',
  'Fix the dimensions first.': '先に次元を固定してください。',
  "The input's batch is {}; the compiler wants 1.": '入力のバッチが{0}です。コンパイラーに必要なのは1です。',
  'Export with batch 1.': 'バッチ1で書き出してください。',
  'The input is {}; the parser wants float32.': '入力が{0:ja}です。パーサーに必要なのはfloat32です。',
  'not a tensor': 'テンソル以外',
  'Export a float model.': 'floatモデルを書き出してください。',
  'Its sizes are computed at run time; the device wants them fixed.': 'サイズが実行時に計算されます。デバイスには固定サイズが必要です。',
  'Fix the input size and fold constants: what computed sizes becomes constant.':
    '入力サイズを固定し、定数を畳み込んでください。サイズの計算が定数になります。',
  'Cut the network at the {} ends of its branches and join them on the host.':
    '分岐の終端{0}か所でモデルを切り、ホストで結合してください。',
  'Give boxes and scores outputs of their own.': 'ボックスとスコアを別々の出力にしてください。',
  'It joins boxes in pixels and scores under one scale: in 8 bits a score of 0…1 keeps about one level, and nothing is detected.':
    'ピクセル単位のボックスとスコアを1つのスケールで結合しています。8ビットでは0…1のスコアがほぼ1段階になり、何も検出できません。',
  'It joins raw boxes and scores under one scale: scores keep only their part of the levels.':
    '生のボックスとスコアを1つのスケールで結合しています。スコアは一部の段階しか使えません。',
  'The operator {} is unknown.': '演算子{0}は未知です。',
  'Replace it, or cut the network before it.': '置き換えるか、手前でモデルを切ってください。',
  'It stands behind the cut and runs on the host.': '切断位置より後ろにあり、ホストで実行します。',
  'the cut': '切断位置',
  'It is part of the layer "{}".': 'レイヤー「{0}」の一部です。',
  'rule of the device': 'デバイスの規則',
  // devices/index.ts
  'There is no device {}.': 'デバイス{0}はありません。',
  'Devices are: {}.': '使えるデバイス：{0}。',
  // devices/quantization.ts
  'Its activation has {} scales, one per channel; the device has one per tensor{}.':
    '活性値のスケールがチャネルごとに{0}個ありますが、デバイスではテンソルごとに1つです{1:ja}。',
  ', so what reads it computes in float': '（後続は浮動小数点で計算）',
  'Quantize activations per tensor, and even the channels out in the weights (equalization) instead.':
    '活性値はテンソルごとに量子化し、チャネルの差は重み側で均してください（均等化）。',
  'It has 16 bits where {} other tensors have 8: the delegate drops a mixed graph to the CPU. {}':
    'ここは16ビットですが、他の{0}個のテンソルは8ビットです。デリゲートは混在したグラフをCPUに戻します。{1:ja}',
  'Keep every activation in 8 bits, or put all of them in 16.': '活性値をすべて8ビットにするか、すべて16ビットにしてください。',
  'Keep activations in 8 bits.': '活性値は8ビットのままにしてください。',
  "{} can't change width, but {} of its {} tensors have 16 bits and {} {} 8.":
    '{0}はビット幅を変えられませんが、{2}個のテンソルのうち{1}個が16ビット、{3}個が8ビットです。',
  'Give 16 bits to {} too: the layers that make them take a8_w8_a16.':
    '{0} も16ビットにしてください。出力元のレイヤーはa8_w8_a16になります。',
  'The plan leaves it in float. {}': '計画では浮動小数点のままです。{0:ja}',
  'Quantize it too.': 'このレイヤーも量子化してください。',
  'Its weights have a zero point; the device has symmetric weights and will choose others.':
    '重みにゼロ点があります。デバイスの重みは対称なので、別の値が選ばれます。',
  'Quantize weights symmetrically (zero point 0).': '重みは対称（ゼロ点0）に量子化してください。',
  'SiLU is quantized as one with its convolution, so both compute in float between the pairs.':
    'SiLUを畳み込みと1層として量子化しているため、どちらも量子化ペアの間を浮動小数点で計算します。',
  'The plan quantizes SiLU as one with its convolution; this device quantizes convolution, sigmoid and product apart, so the studio’s figures are too good.':
    '計画ではSiLUを畳み込みと1層として量子化していますが、このデバイスは畳み込み・シグモイド・積を別々に量子化します。本ツールの数値は実機より良く出ています。',
  'It costs speed, not accuracy.': '影響は速度だけで、精度は変わりません。',
  'Switch "fuseActivations" off to see what the device will do.': '"fuseActivations"をオフにすると、デバイスと同じ計算になります。',
  'The plan keeps a scale for each of its inputs; the device has one for all, so the studio’s figures are too good.':
    '計画では入力ごとにスケールがありますが、デバイスでは全入力で1つです。本ツールの数値は実機より良く出ています。',
  'Set "concat" to "shared".': '"concat"を"shared"にしてください。',
  'Set "sixteenBit" to "off".': '"sixteenBit"を"off"にしてください。',
  'The converter takes minimum and maximum of the calibration set as ranges; the studio’s clipped ranges do not reach the file.':
    'コンバーターは、キャリブレーション画像の最小値と最大値を範囲に使います。本ツールで絞った範囲は、ファイルに反映されません。',
  'Set "calibrator" to "minmax" and "clipping" to "calibrator" to see what the device will do.':
    '"calibrator"を"minmax"に、"clipping"を"calibrator"にすると、デバイスと同じ計算になります。',
  'weights {}': '重み：{0:ja}',
  // devices/facts.ts
  'seen once': '単独情報',
  // devices/check.ts
  'runs differently': '異なる形で動作',
  'falls back': 'ホストで実行',
  // devices/quantization.ts
  network: 'モデル',
};
