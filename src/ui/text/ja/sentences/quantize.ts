/** Japanese for what the quantize step says; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const quantize: Templates = {
  // steps/quantize/activations.ts
  'The calibration has no statistics of "{}".': 'キャリブレーション結果に「{0}」の統計量がありません。',
  'Calibrate this model again with more images.': '画像を増やして、このモデルをもう一度キャリブレーションしてください。',
  'Input "{}" takes pixels 0…255: quantized exactly (scale 1).': '入力「{0}」の画素値は0…255で、誤差なく量子化できます（スケール1）。',
  '{} activation range{} set by the recipe.': '活性値の範囲{0}個は、レシピで設定したものです。',
  'The recipe\'s range of "{}" is not used: nothing of that name is quantized.':
    'レシピで設定した「{0}」の範囲は使われません（この名前の値は量子化されていません）。',
  // steps/quantize/analysis/analyze.ts
  'Analysing layers': 'レイヤーを分析中',
  // steps/quantize/analysis/board.ts
  'This plan quantizes a value that the switchboard was not opened for.': '量子化の計画に、測定の準備がされていない値があります。',
  // steps/quantize/analysis/feeds.ts
  "{} can't be decoded.": '{0} をデコードできません。',
  // steps/quantize/analysis/measurements.ts
  'The analysis was given {} seconds.': '分析の時間が{0}秒に指定されています。',
  'Give it more than 0.': '0より大きい値にしてください。',
  'The analysis was given {} images.': '分析の画像数が{0}に指定されています。',
  'It needs a whole number from 1.': '1以上の整数にしてください。',
  // steps/quantize/analysis/story.ts
  'No layer of this network is quantized, so there is nothing to tell.':
    'このモデルには量子化されたレイヤーがないため、表示するものがありません。',
  'Change the quantize step, or open a float network.': '「量子化」ステップの設定を変えるか、floatモデルを開いてください。',
  'Quantizing layer by layer': '1層ずつ量子化中',
  // steps/quantize/constants.ts
  '"{}" ({}) has {} weights; only float32 networks are quantized.':
    '「{0}」（{1}）の重みは{2}です。量子化できるのはfloat32のモデルだけです。',
  'Export the model in float32.': 'float32でモデルを書き出してください。',
  '"{}" ({}) has a weight that is NaN or infinite.': '「{0}」（{1}）の重みにNaNか無限大があります。',
  '"{}"{}: {} weight scale{} enlarged so that the int32 bias does not overflow.':
    '「{0}」{1:ja}：int32のバイアスがオーバーフローしないように、重みスケール{2}個を広げました。',
  'and {} other layer{}': 'ほか{0}層',
  // steps/quantize/equalize.ts
  'HardSwish or the like': 'HardSwishなど',
  'Equalization left out {} pair{} of layers with {} in between: rescaling its input does not just rescale its output.':
    '{2:ja}が間にあるレイヤーの組{0}組は、均等化から除外しました（入力をスケーリングすると、出力の形が変わるため）。',
  'Equalization found no two layers that only follow each other.': '均等化できる、一直線につながった2層はありませんでした。',
  'Channel ranges of {} pair{} of layers were evened out (the worst channel by a factor of {}).':
    'レイヤーの組{0}組でチャネルの範囲を均等化しました（最大のチャネルで{2}倍）。',
  // steps/quantize/analysis/feeds.ts
  "{} does not take one image, so its layers can't be compared on images.":
    '{0} の入力は画像1枚ではないため、レイヤーを画像で比較できません。',
  'Open a network with one image input.': '画像入力が1つのモデルを開いてください。',
  'No image of {} can be decoded.': '{0} に、デコードできる画像がありません。',
  'Choose other images.': '別の画像を選んでください。',
  // steps/quantize/error.ts
  'Comparing layers': 'レイヤーを比較中',
  // steps/quantize/index.ts
  '{} is already INT8: it can be evaluated, not quantized again ({} quantized nodes, first "{}", {}).':
    '{0} はすでにINT8です。評価はできますが、再度の量子化はできません（量子化ノード{1}個、最初は「{2}」、{3}）。',
  'Open the float model that it was made from.': '元のfloatモデルを開いてください。',
  '{} computes in {}; only float32 networks are quantized.': '{0} の計算は{1}です。量子化できるのはfloat32のモデルだけです。',
  'Export it in float32.': 'float32で書き出してください。',
  'These ranges were calibrated on another network.': '別のモデルでキャリブレーションした範囲です。',
  'Calibrate {} first.': '先に {0} をキャリブレーションしてください。',
  Planning: '計画中',
  '{} has no layer with constant weights, so there is nothing to quantize.':
    '{0} には定数の重みを持つレイヤーがないため、量子化するものがありません。',
  'Fold constants, or switch the quantize step off.': '定数を畳み込むか、「量子化」ステップをオフにしてください。',
  'Quantizing weights': '重みを量子化中',
  Quantized: '量子化完了',
  // steps/quantize/plan.ts
  '{} level{}': '{0}段階',
  'boxes and scores share a scale: scores have {}': 'ボックスとスコアがスケールを共有し、スコアは{0:ja}しか使えません',
  'its inputs share a scale: "{}" has {}': '入力がスケールを共有し、「{0}」は{1:ja}しか使えません',
  '{} is left in float; in 8 bits, {}.': '{0}は浮動小数点のままです。8ビットでは、{1:ja}。',
  'After the last layers {} stay{} in float.': '最後のレイヤーより後ろの{0}は、浮動小数点のままです。',
  '{} {} between the layers {} computed in float.': 'レイヤー間の{1}（{0}個）は、浮動小数点で計算します。',
  '"{}" ({}){}: the weights are computed, not constant, and stay in float.':
    '「{0}」（{1}）{2:ja}：重みが定数ではなく計算されるため、浮動小数点のままです。',
  'and {} more': 'ほか{0}件',
  // steps/quantize/repairs/bias-correction.ts
  'Correcting biases for rounded weights': '丸めた重みのバイアスを補正中',
  // steps/quantize/repairs/calibrator.ts
  'Trying calibrators': 'キャリブレーターを比較中',
  'Of {} the calibrator "{}" errs least on {} unseen images.': '{0}のうち、未知の画像{2}枚での誤差が最小のキャリブレーターは「{1}」です。',
  // steps/quantize/repairs/feeds.ts
  "{} does not take one image, so repairs can't be fitted on images.": '{0} の入力は画像1枚ではないため、画像を使う対策を適用できません。',
  'Switch the repairs off, or open a network with one image input.': '対策をオフにするか、画像入力が1つのモデルを開いてください。',
  'Repairs need at least two images; {} of {} can be decoded.': '対策には画像が2枚以上必要です。{1} でデコードできるのは{0}枚です。',
  // steps/quantize/repairs/index.ts
  'output error on {} unseen images {} → {}.': '未知の画像{0}枚での出力誤差 {1} → {2}。',
  'the output error on {} unseen images would have risen from {} to {}.': '未知の画像{0}枚での出力誤差が {1} から {2} に増えるため不採用。',
  // steps/quantize/repairs/learn/index.ts
  'Learning scales, zero points and biases': 'スケール・ゼロ点・バイアスの学習',
  'Only networks that take one image can be trained here.': 'ここで学習できるのは、入力が画像1枚のモデルだけです。',
  'Switch learning and QAT off, or open a network with one image input.':
    '学習とQATをオフにするか、画像入力が1つのモデルを開いてください。',
  // steps/quantize/repairs/index.ts
  '{} was left out: {}': '{0}は不採用：{1:ja}',
  // steps/quantize/repairs/learn/qat.ts
  'Quantization-aware training': '量子化を考慮した学習（QAT）',
  // steps/quantize/repairs/least-squares/index.ts
  'Least squares found no convolution or linear layer that it can solve.':
    '最小二乗法で再計算できる畳み込み層・全結合層はありませんでした。',
  'Least squares solved {} of {} layers again.': '最小二乗法で{0}層を再計算しました（全{1}層）。',
  // steps/quantize/repairs/repaired.ts
  'The repairs of this recipe need the calibration images.': 'このレシピの対策には、キャリブレーション画像が必要です。',
  'Give images, or switch the repairs off.': '画像を指定するか、対策をオフにしてください。',
  // steps/quantize/repairs/rounding/index.ts
  'Rounding weights for the least output error': '出力誤差が最小になるように重みを丸め中',
  // steps/quantize/repairs/sixteen-bit/contributions.ts
  'Looking for layers that need 16 bits': '16ビットが必要なレイヤーを探索中',
  // steps/quantize/repairs/sixteen-bit/index.ts
  '{} and {} more': '{0} ほか{1}件',
  'No layer gets 16 bits: there is no depthwise convolution.': '16ビットにするレイヤーはありません（depthwise畳み込みなし）。',
  '16 bits: {} activations around depthwise convolutions, made by {}.':
    '16ビット：depthwise畳み込みの前後の活性値{0}個（出力元：{1:ja}）。',
  'No layer gets 16 bits: none adds to the output error.': '16ビットにするレイヤーはありません（出力誤差を増やすレイヤーなし）。',
  '16 bits: {} activation{}, made by {}.': '16ビット：活性値{0}個（出力元：{2:ja}）。',
  'Giving 16 bits to sensitive layers': '感度の高いレイヤーを16ビット化中',
  // steps/quantize/repairs/task-clipping/index.ts
  'Searching activation ranges': '活性値の範囲を探索中',
  'the output error on {} other images {} from {} to {}': '別の画像{0}枚での出力誤差が {2} から {3} に{1:ja}',
  fell: '減少',
  rose: '増加',
  '{} of {} activation ranges': '活性値の範囲{1}個のうち{0}個',
  'with {} moved, {}.': '{0:ja}を動かすと、{1:ja}。',
  'task-clipping was left out: {}': 'task-clippingは不採用：{0:ja}',
  'task-clipping moved {} by their effect on the outputs ({} trials): {}.':
    'task-clippingは出力への影響をもとに、{0:ja}を動かしました（試行{1}回）：{2:ja}。',
  // steps/quantize/split-channels.ts
  'more than 10,000×': '10,000倍以上',
  '{} layer{} cut by channel range (first "{}": channel ranges differ {} under one scale; {} parts of {} channels). The float network computes the same.':
    '{0}層をチャネルの範囲で分割しました（最初は「{2}」：1つのスケールを共有するチャネルの範囲の差が{3:ja}、{4}分割で{5}チャネル）。floatモデルの計算結果は変わりません。',
};
