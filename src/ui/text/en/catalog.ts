export const catalog = {
  catalog: {
    title: 'Catalog',
    orFrom: 'or from the catalog',
    intro: 'Official detectors. A file counts as one by its SHA-256 alone, downloaded here or dropped in.',
    allow: 'Allow downloads from {{host}}',
    means:
      'A press on Download then asks {{host}}, and the servers of its files (*.hf.co), for one file. They see your network address, as with any download; nothing of yours is sent. No other request ever leaves this page for another host.',
    off: 'Downloads are off. Switch them on, or save a release file and drop it anywhere on this page.',
    single: 'The single file can’t download: save a release file and drop it anywhere on this page.',
    facts: '{{input}} · {{parameters}} parameters · {{size}} · mAP {{map}}, as published · {{licence}}',
    download: 'Download',
    far: '{{done}} of {{total}}',
    here: 'on this machine',
    release: 'Release file',
    official: 'official {{name}}',
    fetched: '{{name}} is on this machine now.',
  },
} as const;
