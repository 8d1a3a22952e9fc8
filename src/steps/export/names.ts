/** Names from files are foreign text: what goes into scripts is made plain, what goes into Markdown is escaped. */

const MAX_NAME = 120;

/** Letters, digits, "_", "." and "/" only, at most 120 characters, never empty: safe in every file of the bundle. */
export function plainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_./]/g, '_').slice(0, MAX_NAME);
  return /[A-Za-z0-9]/.test(plain) ? plain : `value${plain}`;
}

/** Name of the network for the compiler and its files: "YOLOX Nano (1).onnx" → "yolox_nano_1". */
export function networkName(fileName: string): string {
  const stem = fileName.replace(/^.*[\\/]/, '').replace(/\.onnx$/i, '');
  const plain = stem
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, 40)
    .replace(/^_+|_+$/g, '');
  return /^[a-z]/.test(plain) ? plain : `net_${plain || 'model'}`;
}

/** Text in a Markdown line or table cell: no markup, no HTML, no line breaks. */
export function markdownText(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')
    .replace(/[\\`*_{}[\]()#+!|~$]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/:\/\//g, ':&#47;&#47;');
}
