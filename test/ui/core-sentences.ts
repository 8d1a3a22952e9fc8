/** What the core can say in English, found in its sources: every literal with words in it, as a template. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export interface Said {
  /** The text with `{}` for each value that is put in, without space around it. */
  readonly template: string;
  /** Values that only decide between singular and plural ("image" or "images"), by their place. */
  readonly grammar: ReadonlySet<number>;
  readonly where: string;
}

/**
 * Files whose words aren't shown in the page in this form: the command line; documents and scripts of bundles, which are
 * English in either language; kernels' code; names of classes; what only Node, the build or a debugger prints; option
 * hints and verdicts, which have tables of their own (`optionHelp`, `verdicts`).
 */
const ELSEWHERE = [
  /^src\/(cli|ui)\//,
  /^src\/onnx\/(gen\/|print\.ts)/,
  /^src\/steps\/export\/(compile-py|retrain)\//,
  /^src\/steps\/export\/(readme|script|job|bundle-(hailo|tflite))\.ts$/,
  /^src\/devices\/support\.ts$/,
  /^src\/models\/coco\.ts$/,
  /^src\/site\//,
  /^src\/(data\/node|runtime\/engine-node|runtime\/engine-node-wasm)\.ts$/,
  /^src\/steps\/prune\/groups\.ts$/,
  /^src\/steps\/quantize\/analysis\/verdicts\//,
];

/** Names (a class without one is called "class 3" in files, too), and the head of a NumPy file. */
const NAMES = new Set([
  'ONNX Runtime',
  'class {}',
  'Bonsai Studio',
  'bonsai-workspace 1',
  "{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }",
]);

/** An ending or verb that follows a number. */
const GRAMMAR = /^(e?s)?( ?(was|were|is|are|has|have))?$/;
const WORD = /^["“(]?[A-Za-z][a-z'’-]+[.,:;?)"”]*$/;

/** Whether a person would read it as words: two of them, or one beside a value or at the end of a sentence. */
function hasWords(text: string): boolean {
  if (text.includes('\n')) return false;
  const parts = text.split(/\s+/).filter(Boolean);
  const words = parts.filter((part) => WORD.test(part.replaceAll('{}', '')));
  return words.length > 1 || (words.length === 1 && (parts.length > 1 || /^[A-Z][a-z]+\.$/.test(text)));
}

const isGrammar = (node: ts.Expression): boolean =>
  ts.isConditionalExpression(node) && [node.whenTrue, node.whenFalse].every((end) => ts.isStringLiteralLike(end) && GRAMMAR.test(end.text));

/** What isn't shown: names of modules and properties, types, comparisons, hints of options. */
function isSilent(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent) || ts.isLiteralTypeNode(parent)) return true;
  if (ts.isPropertyAssignment(parent)) return parent.name === node || parent.name.getText() === 'help';
  // A document's paragraphs, and Markdown.
  for (let up: ts.Node = node; up; up = up.parent)
    if (
      (ts.isVariableDeclaration(up) && up.name.getText() === 'sections') ||
      (ts.isFunctionDeclaration(up) && /Markdown$/.test(up.name?.text ?? ''))
    )
      return true;
  if (ts.isCallExpression(parent) && ts.isPropertyAccessExpression(parent.expression))
    if (/^(startsWith|endsWith|includes|split|replace|replaceAll)$/.test(parent.expression.name.text)) return true;
  return ts.isBinaryExpression(parent) && /^[!=]==$/.test(parent.operatorToken.getText());
}

function read(node: ts.Node): Pick<Said, 'template' | 'grammar'> | null {
  if (ts.isStringLiteralLike(node)) return { template: node.text.trim(), grammar: new Set() };
  if (!ts.isTemplateExpression(node)) return null;
  const template = node.head.text + node.templateSpans.map(({ literal }) => `{}${literal.text}`).join('');
  const grammar = new Set(node.templateSpans.flatMap(({ expression }, i) => (isGrammar(expression) ? [i] : [])));
  return { template: template.trim(), grammar };
}

/** Every literal of the core and the workers. */
export function literals(): Said[] {
  const files = ['src', 'workers'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return files.sort().flatMap((file) => {
    if (ELSEWHERE.some((pattern) => pattern.test(file))) return [];
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    const found: Said[] = [];
    const visit = (node: ts.Node): void => {
      const said = read(node);
      if (said && !isSilent(node)) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart());
        found.push({ ...said, where: `${file}:${line + 1}` });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
}

/** A device's sources are made of others with a name behind: "{} (ew_add)". */
const isSource = ({ template, where }: Said): boolean => where.startsWith('src/devices/') && /\{\}.*[A-Za-z]/.test(template);

/** Those with words in them. */
export const sentences = (all: readonly Said[]): Said[] =>
  all.filter((one) => hasWords(one.template) || isSource(one)).filter(({ template }) => !GRAMMAR.test(template) && !NAMES.has(template));
