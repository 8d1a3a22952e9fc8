import type { layers as en } from '../en/layers';
import type { Translation } from '../types';

export const layers: Translation<typeof en> = {
  layers: {
    filter: 'レイヤーを絞り込む',
    columns: { name: '名前', op: '演算子', shape: '形状', parameters: 'パラメーター', macs: 'MACs', error: 'SQNR' },
    errorHelp: 'INT8モデルでの、レイヤー出力の信号対量子化雑音比。低いほど悪い値です。',
    facts: '最小 {{min}}、最大 {{max}}、平均 {{mean}}、標準偏差 {{std}}',
    histogram: '{{name}} の値',
    noHistogram: 'このテンソルの値を見るには、レシピを実行（キャリブレーション）してください。',
    clip: 'INT8の範囲 {{lo}} … {{hi}}',
    cost: 'クリップ {{clipped}} %、ステップ {{step}}、SQNR {{sqnr}}',
    tried: '試した範囲 {{lo}} … {{hi}}',
    own: 'デバイスの範囲に戻す',
    backToKept: 'レシピの範囲に戻す',
    keep: 'レシピに設定',
    kept: 'レシピで設定 {{lo}} … {{hi}}',
    drop: 'レシピから削除',
    rerun: 'レシピを実行すると、検出結果への影響が分かります。',
    try: '線をドラッグするか、線の上で矢印キーを使うと、別の範囲での影響を確認し、その範囲をレシピに設定できます。',
    ends: { low: '範囲の下端', high: '範囲の上端' },
    weights: {
      title: '{{name}} の重み',
      before: '元のモデル',
      after: '圧縮後',
      shape: '形状',
      range: '範囲',
      ratio: '最大÷最小',
      ratioHelp: '範囲が最も広いチャネルの最大の重みを、最も狭いチャネルのそれで割った値です。',
      grid_other: '{{dtype}}、スケール{{scales}}個',
      none: 'レシピを実行すると、圧縮後の重みが表示されます。',
      picture: '重みのヒストグラム（対数目盛、{{lo}}～{{hi}}）',
      channels: '出力チャネルごとの範囲：{{side}}',
    },
    values: '選んだレイヤーの値',
    pick: 'レイヤーを選ぶと値が表示されます。',
  },
};
