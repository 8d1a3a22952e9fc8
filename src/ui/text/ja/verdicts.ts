import type { Core } from '../types';

const format = new Intl.NumberFormat('ja', { maximumSignificantDigits: 3 });
/** A figure as a sentence says it; one that isn't known leaves a gap that can be seen. */
const n = (value: number | undefined): string => (value === undefined ? '？' : format.format(value));

/** Verdicts from their figures; the English sentences are in src/steps/quantize/analysis/verdicts. */
export const verdicts: Core['verdicts'] = {
  'channel-ranges': ({ ratio, coarseChannels, channels }, role) =>
    `1つの${role === 'weight' ? '重み' : '活性値'}スケールを、範囲が${n(ratio)}倍異なるチャネルで共有しています。${n(channels)}チャネル中${n(coarseChannels)}チャネルは、255段階のうち16段階未満しか使えません。`,
  outliers: ({ ratio, reach, usualLow, usualHigh, lo, hi }) =>
    ratio === undefined
      ? `外れ値が切り捨てられています。格子は${n(lo)}…${n(hi)}で終わりますが、値はその${n(reach)}倍に達します。値の99.8 %は${n(usualLow)}…${n(usualHigh)}にあります。`
      : `わずかな外れ値が範囲を${n(ratio)}倍に広げています。値の99.8 %は${n(usualLow)}…${n(usualHigh)}にありますが、格子は${n(lo)}…${n(hi)}です。`,
  'silu-pieces': ({ pieces }) =>
    `畳み込みと活性化関数が${n(pieces)}個に分かれて量子化され、それぞれで丸められています。1層として扱えば、丸めるのは結果だけです。`,
  'shared-scale': ({ levels, lo, hi, widest }) =>
    `Concatの入力が1つのスケールを共有しています。範囲${n(lo)}…${n(hi)}の入力は${n(levels)}段階しか使えません（最も広い入力は±${n(widest)}）。`,
  'relu-zero': ({ used, levels, min, max }) =>
    `対称な格子ですが、値は${n(min)}…${n(max)}にしかありません。${n(levels)}段階のうち${n(used)}段階しか使われず、1ビット分が無駄です。`,
  'bias-overflow': ({ integer, limit, enlarged, scales }) =>
    `バイアスに整数${n(integer)}が必要ですが、int32の上限は${n(limit)}です。収まるように、重みスケール${n(scales)}個を最大${n(enlarged)}倍に広げました。`,
  'mean-shift': ({ shifted, channels, worstMean, worstRms }) => {
    const share = worstMean === undefined || !worstRms ? undefined : Math.round((100 * Math.abs(worstMean)) / worstRms);
    return `重みの丸めにより、${n(channels)}チャネル中${n(shifted)}チャネルで平均がずれています（最大でチャネルの大きさの${n(share)} %）。誤差の大半は定数なので、バイアスで打ち消せます。`;
  },
  'dead-channel': ({ deadChannels, channels }) =>
    `${n(channels)}出力チャネル中${n(deadChannels)}チャネルが働いていません（重みがすべて0か、どの画像でも同じ値）。枝刈りすれば精度を損なわずに除けます。`,
  'missing-batchnorm': ({ channels }) =>
    `BatchNormalizationの全${n(channels)}チャネルが、平均0・分散1の初期値のままです。統計量が測定されていないか、書き出しで失われています。学習済みモデルを評価モードで書き出し直してください。`,
};
