import type { graph as en } from '../en/graph';
import type { Translation } from '../types';

export const graph: Translation<typeof en> = {
  graph: {
    colour: '色分け',
    quantities: { macs: 'MACs', error: 'INT8での誤差', bits: 'ビット数', pruned: '枝刈り率', device: 'デバイスチェック' },
    least: { macs: '少', error: '40 dB', bits: '8ビット', pruned: '0 %', device: '動作' },
    most: { macs: '多', error: '0 dB', bits: '16ビット', pruned: '100 %', device: '非対応' },
    states: { runs: '動作', 'runs differently': '異なる形で動作', 'falls back': 'ホストで実行', unsupported: '非対応' },
    bits: '{{bits}}ビット',
    none: 'レイヤーを選んでください（クリックか矢印キー）。',
    needsRun: 'レシピを実行すると表示されます。',
    help: 'モデルのグラフ。矢印キーで接続をたどり、＋／−ボタンで拡大・縮小します',
    placing: 'レイヤーを配置中…',
  },
};
