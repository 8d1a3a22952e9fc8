/** Japanese for what the prune step says; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const prune: Templates = {
  // steps/prune/costs.ts
  'No images were given: channels were judged by calibrated ranges.':
    '画像がないため、チャネルの重要度はキャリブレーション済みの範囲で評価しました。',
  'No images were given: channels were judged by their weights alone.': '画像がないため、チャネルの重要度は重みだけで評価しました。',
  'Channels were measured by removing them: {}': 'チャネルの重要度は、実際に除いたときの影響で測定しました：{0:ja}',
  'No calibration was given: channels were judged by their weights alone.':
    'キャリブレーションがないため、チャネルの重要度は重みだけで評価しました。',
  'This network has no BatchNorm any more: channels were judged by the size of their weights.':
    'このモデルにはBatchNormが残っていないため、チャネルの重要度は重みの大きさで評価しました。',
  // steps/prune/index.ts
  '"{}" is already INT8: it can be evaluated, not pruned.': '「{0}」はすでにINT8です。評価はできますが、枝刈りはできません。',
  'Prune the float model it was made from.': '元のfloatモデルを枝刈りしてください。',
  'The calibration belongs to another model.': '別のモデルのキャリブレーション結果です。',
  'Calibrate this model again.': 'このモデルをもう一度キャリブレーションしてください。',
  // steps/prune/remove.ts
  "These channels can't be removed: {}.": 'これらのチャネルは除けません：{0:ja}。',
  'Leave them out of the plan.': '除く対象から外してください。',
  'Tensor "{}" would lose all its {} channels.': 'テンソル「{0}」の全{1}チャネルがなくなります。',
  'Keep at least one.': '1つ以上残してください。',
  'Value "{}" has no prunable channels on axis {}.': '値「{0}」の軸{1}に、枝刈りできるチャネルはありません。',
  'Name the output of a Conv.': 'Convの出力名を指定してください。',
  'Value "{}" has {} channels on axis {}, not channel {}.': '値「{0}」の軸{2}のチャネルは{1}個で、チャネル{3}はありません。',
  'Count from 0.': '番号は0から数えます。',
  // steps/prune/report.ts
  'too narrow for the minimum number of channels': '最小チャネル数に対して細すぎるレイヤー',
  // steps/prune/meta.ts
  parameters: 'パラメーター',
  // steps/prune/report.ts
  "weights' bytes": '重みのバイト数',
  "activations' bytes": '活性値のバイト数',
  'Pruned {} of the {}.': '{1:ja}を{0}枝刈りしました。',
  '{} residual block(s) went as a whole ({}).': '残差ブロック{0}個を丸ごと除きました（{1}）。',
  '{} group(s) are left with no multiple of {}, because they are narrow or a whole block would have overshot ({}).':
    '{0}グループは{1}の倍数になっていません。細いグループか、ブロック単位では削りすぎになるためです（{2}）。',
  'The limits (minimum channels, largest share per group, protected layers) allow no more: {} % was asked.':
    '制限（最小チャネル数、グループごとの最大割合、保護レイヤー）により、これ以上削れません（指定は{0} %）。',
  '{} of the weights are zero: gzip makes {} → {}, the file itself stays {} and there is no speed-up, because every MAC is still computed.':
    '重みの{0}が0です。gzipでは{1} → {2}に縮みますが、ファイル自体は{3}のままです。すべてのMACを計算するため、高速化はしません。',
  // steps/prune/rules/contract.ts
  'takes a weight that is computed in the graph': 'グラフ内で計算される重みを使うため',
  'the weight of {} is shared with a layer whose channels are fixed': '{0} の重みを、チャネル数が固定のレイヤーと共有しているため',
  '{} adds a computed bias': '{0} が計算されたバイアスを加えるため',
  '{} multiplies two computed tensors': '{0} が計算されたテンソル同士の積のため',
  // steps/prune/rules/pointwise.ts
  '{} needs every channel': '{0} が全チャネルを必要とするため',
  '{} takes parameters that are computed in the graph': '{0} のパラメーターがグラフ内で計算されるため',
  '{} takes a scale that is computed in the graph': '{0} のスケールがグラフ内で計算されるため',
  '{} runs over this axis': '{0} がこの軸に沿って計算するため',
  '{} runs over all channels': '{0} が全チャネルにわたって計算するため',
  '{} reduces axes that are computed in the graph': '{0} の縮約軸がグラフ内で計算されるため',
  '{} reduces over all channels': '{0} が全チャネルを縮約するため',
  '{} reads the shape': '{0} が形状を読むため',
  // steps/prune/rules/reshape.ts
  '{} mixes them into another shape': '{0} が別の形状に混ぜるため',
  '{} copies this size': '{0} がこのサイズを使うため',
  '{} has a shape that is unknown': '{0} の形状が不明なため',
  // steps/prune/rules/contract.ts
  '{} needs this axis whole': '{0} がこの軸全体を必要とするため',
  // steps/prune/rules/reshape.ts
  '{} has a target shape that is computed in the graph': '{0} の変形先の形状がグラフ内で計算されるため',
  '{} repeats by numbers that are computed in the graph': '{0} の繰り返し数がグラフ内で計算されるため',
  '{} scales this axis': '{0} がこの軸を拡大・縮小するため',
  // steps/prune/rules/pointwise.ts
  '{} meets a tensor of unknown rank': '{0} に次元数の不明なテンソルが入るため',
  '{} combines them with fixed channels': '{0} が固定チャネルと組み合わせるため',
  // steps/prune/rules/slicing.ts
  '{} meets a tensor of unknown size': '{0} にサイズの不明なテンソルが入るため',
  'they come straight from the input': '入力から直接来ているため',
  '{} has sizes that are computed in the graph': '{0} のサイズがグラフ内で計算されるため',
  '{} has limits that are computed in the graph': '{0} の範囲がグラフ内で計算されるため',
  '{} strides over the channels': '{0} がチャネルを飛ばして読むため',
  '{} picks by numbers of unknown shape': '{0} の取り出し番号の形状が不明なため',
  '{} picks single channels': '{0} が個々のチャネルを取り出すため',
  '{} pads by numbers that are computed in the graph': '{0} のパディング数がグラフ内で計算されるため',
  '{} pads this axis': '{0} がこの軸をパディングするため',
  // steps/prune/sensitivity.ts
  'No image of {} can be used for a scan.': '{0} に、測定に使える画像がありません。',
  'Scanning sensitivity': '感度を測定中',
  // steps/prune/reconstruction.ts
  'Judging channels': 'チャネルの重要度を評価中',
  // steps/prune/index.ts
  Pruning: '枝刈り中',
  // steps/prune/structured.ts
  'the head is protected': 'ヘッドは保護されています',
  'Least squares did not help behind this cut: the weights stay.': 'この枝刈りの後ろでは最小二乗法の効果がないため、重みはそのままです。',
  'Least squares solved {} layers behind the cut again; loss on unseen images {} → {}.':
    '枝刈りの後ろの{0}層を最小二乗法で再計算しました（未知の画像での損失 {1} → {2}）。',
  '"{}" has no channels that can be pruned within these limits.': '「{0}」には、この制限で枝刈りできるチャネルがありません。',
  'Lower the minimum number of channels or the channel multiple.': '最小チャネル数か、チャネル数の倍数を小さくしてください。',
  // steps/prune/trace-model.ts
  '{} reads them in a subgraph': '{0} がサブグラフで読むため',
  "{} isn't known to the pruner": '{0} は枝刈りの対象外の演算子のため',
  '{} is protected': '{0} は保護されています',
  'they are the output "{}"': '出力「{0}」のため',
  // steps/prune/trace.ts
  '{} ({}) meets {} and {} channels on one axis.': '{0}（{1}）で、同じ軸の{2}チャネルと{3}チャネルが組み合わされています。',
  // steps/prune/resolve.ts
  'Solving weights again by least squares': '最小二乗法で重みを再計算中',
};
