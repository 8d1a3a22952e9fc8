/** Japanese for what training, autodiff and recovery say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const training: Templates = {
  // autodiff/build.ts
  'The network computes no value "{}".': 'このモデルに値「{0}」はありません。',
  '"{}" is neither a weight nor an input of the network: it can\'t be trained.': '「{0}」は重みでも入力でもないため、学習できません。',
  'the studio does not know this operator': '未知の演算子です',
  '{} ({}) has no gradient here: {}.': '{0}（{1}）には勾配の規則がありません：{2:ja}。',
  'Freeze the layers up to this one (frozen layers of the recovery), or cut the network before it.':
    'このレイヤーまでを固定する（回復学習の固定レイヤー数）か、手前でモデルを切ってください。',
  'The shape of "{}" isn\'t known.': '「{0}」の形状が不明です。',
  '"{}" is {}: only float32 values are trained.': '「{0}」は{1}です。学習できるのはfloat32の値だけです。',
  'Convert the model to float32.': 'モデルをfloat32に変換してください。',
  'its input "{}" is computed while the network runs': '入力「{0}」が実行時に計算されるため',
  'its outputs do not follow its inputs': '出力が入力によって変わらないため',
  'a value besides its first is read': '先頭以外の値が読まれるため',
  '{} is not a number of segments: it must be a whole number from 1.': '{0}はセグメント数として無効です。1以上の整数を指定してください。',
  'The loss "{}" has the shape [{}]: it must be a single value.': '損失「{0}」の形状が[{1}]です。1つの値でなければなりません。',
  'The loss "{}" does not depend on "{}".': '損失「{0}」は「{1}」に依存しません。',
  // autodiff/fake-quant.ts
  '{} (FakeQuant) needs a value, a log scale, qmin, qmax and gradient lsq, pact or ste.':
    '{0}（FakeQuant）には値、対数スケール、qmin、qmax、勾配の種類（lsq、pact、ste）が必要です。',
  '{} (FakeQuant): the rank of "{}" must be known for a scale per channel.':
    '{0}（FakeQuant）：チャネルごとのスケールには「{1}」の次元数が必要です。',
  // autodiff/build.ts
  'Give the inputs fixed sizes.': '入力のサイズを固定してください。',
  // autodiff/rules/index.ts
  'it computes in integers; train the float model with FakeQuant nodes instead':
    '整数で計算します。FakeQuantノードを入れたfloatモデルを学習してください',
  'which values it picks depends on the data': '選ばれる値がデータに依存するため',
  'no rule was written for it': '規則が実装されていないため',
  'the form that gives indices too has no rule': 'インデックスも返す形式には規則がないため',
  // training/admit.ts
  "Training runs on the CPU: the GPU's gradients differ from its (cosine {}).":
    '学習はCPUで行います。GPUの勾配がCPUの結果と異なるためです（コサイン類似度 {0}）。',
  "Training runs on the GPU, whose gradients agree with the CPU's ({}).":
    '学習はGPUで行います。勾配はCPUの結果と一致しています（{0:ja}）。',
  'Training runs on the CPU: the GPU agrees with it but is slower ({}).':
    '学習はCPUで行います。GPUの結果は一致しますが、CPUより遅いためです（{0:ja}）。',
  'Training runs on the CPU: the GPU could not run the training graph ({})':
    '学習はCPUで行います。GPUで学習グラフを実行できませんでした（{0:ja}）',
  '{} ms a step there, {} ms on the CPU': '1ステップあたりGPUで{0} ms、CPUで{1} ms',
  // steps/recover/index.ts
  'Switch recovery off, or open a network with one image input.': '回復学習をオフにするか、画像入力が1つのモデルを開いてください。',
  'The teacher {} sees {}×{} pixels, {} {}×{}.': '教師モデル {0} の入力は{1}×{2}ピクセル、{3} は{4}×{5}ピクセルです。',
  'Choose a teacher of the same resolution, or export it again at that size.':
    '同じ解像度の教師モデルを選ぶか、そのサイズで書き出し直してください。',
  'The teacher {} and {} prepare their images differently.': '教師モデル {0} と {1} では、画像の前処理が異なります。',
  'Choose the same preprocessing for both.': '両方に同じ前処理を選んでください。',
  'Only features are compared, with {} times their weight: {}.': '特徴マップだけを重み{0}倍で比較します：{1:ja}。',
  'With {} frozen layers nothing of {} is left to train.': '{0}層を固定すると、{1} に学習する部分が残りません。',
  'Freeze fewer layers.': '固定するレイヤーを減らしてください。',
  '{}: no step was better on {} unseen images, so the network stays as it was.':
    '{0:ja}：未知の画像{1}枚で改善するステップがなかったため、モデルは変更していません。',
  // steps/recover/meta.ts
  'image-steps': '画像ステップ',
  // steps/recover/index.ts
  "{} does not take one image, so it can't be trained here.": '{0} の入力は画像1枚ではないため、学習できません。',
  // steps/training-run.ts
  'Switch training off, or open a network with one image input.': '学習をオフにするか、画像入力が1つのモデルを開いてください。',
  'Preparing images': '画像を準備中',
  '{}: training diverged {} and went back with half the rate.': '{0:ja}：学習が{1:ja}発散したため、学習率を半分にして戻しました。',
  once: '1回',
  '{} times': '{0}回',
  '{}: {} of {} image-steps on {} images; loss on {} unseen images {}.':
    '{0:ja}：画像{3}枚、{2}画像ステップ中{1}で最良。未知の画像{4}枚での損失 {5}。',
  // training/grow.ts
  'No detector can be built of these sizes.': 'このサイズの検出器は作れません。',
  'Choose other sizes: width and height as multiples of 32.': '幅と高さが32の倍数になるサイズを選んでください。',
  // training/labelled.ts
  'Networks with one channel cannot be trained with labels.': '入力が1チャネルのモデルは、ラベルで学習できません。',
  // training/losses/distill.ts
  "one network's outputs are not known to be a detector's": '片方のモデルの出力が、既知の検出器のものではありません',
  'the teacher knows {} classes, the student {}': '教師モデルは{0}クラス、生徒モデルは{1}クラスです',
  "the teacher's head ({}) is of another kind than the student's ({})":
    '教師モデルのヘッド（{0}）と生徒モデルのヘッド（{1}）は種類が異なります',
  '{}×{} at stride {}': '{0}×{1}（ストライド{2}）',
  'the teacher looks at {}, the student at {}': '格子が異なります（教師モデル：{0:ja}、生徒モデル：{1:ja}）',
  'The network has no floating-point output that could be compared with the original.':
    '元のモデルと比較できる浮動小数点の出力がありません。',
  'The shape of "{}" is not known, so nothing can be learned from it.': '「{0}」の形状が不明なため、学習に使えません。',
  // training/losses/join.ts
  'Two losses both compute "{}".': '2つの損失が同じ「{0}」を計算しています。',
  'Every loss has the weight 0: nothing would be learned.': 'すべての損失の重みが0なので、何も学習されません。',
  'Give at least one of them a weight above 0.': '少なくとも1つの損失の重みを0より大きくしてください。',
  // training/losses/labels.ts
  'The shape of the detector’s output is not known.': '検出器の出力の形状が不明です。',
  // training/losses/distill.ts
  'Fix the input size.': '入力サイズを固定してください。',
  // training/losses/labels.ts
  'Labels can train detectors of the YOLOX family only; this one is {}.':
    'ラベルで学習できるのはYOLOX系の検出器だけです（このモデル：{0:ja}）。',
  'no known detector': '既知の検出器ではありません',
  // training/labelled.ts
  'Train it by distillation from the original instead.': '代わりに、元のモデルからの蒸留で学習してください。',
  // training/losses/labels.ts
  'The scores of this YOLOX cannot be read before their sigmoid.': 'このYOLOXでは、シグモイド前のスコアを取り出せません。',
  // training/losses/distill.ts
  'Export it with raw heads.': '生のヘッド出力で書き出してください。',
  // training/losses/labels.ts
  'The detector has {} cells; its levels have {}.': '検出器のセルは{0}個ですが、各レベルの合計は{1}個です。',
  'Export it again with a fixed input size.': '入力サイズを固定して書き出し直してください。',
  'A batch of {} images came with labels of {}.': '画像{0}枚のバッチに対し、ラベルは{1}枚分です。',
  // training/objective.ts
  'The training graph gave no "{}".': '学習グラフから「{0}」が得られませんでした。',
  // training/optimizers.ts
  'The gradient of "{}" has {} values for {}, with {} units.': '「{0}」の勾配は{1}個ですが、値は{2}個、単位は{3}個です。',
  // training/pool.ts
  'Training needs at least {} images; {} of {} can be decoded.': '学習には画像が{0}枚以上必要です。{2} でデコードできるのは{1}枚です。',
  // training/trainer.ts
  'The loss is not a number before the first training step.': '学習の最初のステップの前に、損失が数値になっていません。',
  'Calibrate on other images.': '別の画像でキャリブレーションしてください。',
  'The training graph gave no gradient of "{}".': '学習グラフから「{0}」の勾配が得られませんでした。',
};
