import type { catalog as en } from '../en/catalog';
import type { Translation } from '../types';

export const catalog: Translation<typeof en> = {
  catalog: {
    title: 'カタログ',
    orFrom: 'カタログから選ぶ',
    intro: '公式の検出器です。ダウンロードしたものでもドロップしたものでも、SHA-256が一致するファイルだけを公式とみなします。',
    allow: '{{host}} からのダウンロードを許可',
    means:
      '「ダウンロード」を押したときだけ、{{host}} とその配信サーバー（*.hf.co）に1つのファイルを要求します。通常のダウンロードと同じくIPアドレスは相手に伝わりますが、お手元のデータは送りません。このページから他のホストへの通信はこれだけです。',
    off: 'ダウンロードはオフです。オンにするか、リリースのファイルを保存してこのページにドロップしてください。',
    single: '単一ファイル版ではダウンロードできません。リリースのファイルを保存してこのページにドロップしてください。',
    facts: '{{input}} · パラメーター {{parameters}} · {{size}} · mAP {{map}}（公表値）· {{licence}}',
    download: 'ダウンロード',
    far: '{{done}}／{{total}}',
    here: '保存済み',
    release: 'リリースのファイル',
    official: '公式の {{name}}',
    fetched: '{{name}} を保存しました。',
  },
};
