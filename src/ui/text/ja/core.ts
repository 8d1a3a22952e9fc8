import { translator } from '../sentences';
import type { Core } from '../types';
import { optionHelp } from './option-help';
import { sentences } from './sentences';
import { verdicts } from './verdicts';

/** Japanese for what the core says in English. */
export const core: Core = {
  errors: {
    'bad-file': 'ファイルを読み込めませんでした。',
    'bad-model': 'モデルに誤りがあります。',
    unsupported: '対応していません。',
    'missing-data': '必要なファイルが足りません。',
    'bad-data': '画像またはアノテーションに問題があります。',
    'bad-option': '設定に誤りがあります。',
    cancelled: '中止しました。',
    runtime: '実行中にエラーが起きました。',
    storage: '保存または読み出しができませんでした。',
  },
  optionHelp,
  verdicts,
  figures: {
    ratio: '比',
    reach: '格子に対する最大値',
    usualLow: '通常の下限',
    usualHigh: '通常の上限',
    lo: '下限',
    hi: '上限',
    min: '最小',
    max: '最大',
    pieces: '分割数',
    levels: '段階数',
    widest: '最大の入力',
    used: '使用段階数',
    least: '最小のチャネル',
    most: '最大のチャネル',
    coarseChannels: '粗いチャネル数',
    channels: 'チャネル数',
    deadChannels: '死んだチャネル数',
    integer: '必要な整数',
    limit: '上限',
    enlarged: '拡大率',
    scales: 'スケール数',
    shifted: 'ずれたチャネル数',
    worstMean: '最大のずれ',
    worstRms: 'そのチャネルの大きさ',
    epsilon: 'ε',
  },
  say: translator(sentences),
};
