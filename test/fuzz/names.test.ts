/** Names come from strangers' files: none may become markup, leave its folder, or run in an exported script or a terminal. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readModelFile } from '../../src/cli/files';
import { columns, terminalJson } from '../../src/cli/tables';
import { type Model, parseModel, serializeModel } from '../../src/onnx';
import { zipBundle } from '../../src/steps/export';
import { toArtifact } from '../../src/steps/open';
import { tinyYolox } from '../fixtures/tiny-yolox';
import { bundleOf, unzipped } from '../steps/export/bundle';
import { HOSTILE_NAMES } from './models/arbitrary';
import { baseOf } from './models/bases';
import { mutate } from './models/mutations';

const HARMLESS = 'harmless';
const NAMES = HOSTILE_NAMES.filter((name) => name.trim() !== '' && name !== '__proto__');

/** The small detector with `name` wherever a file can put a name: nodes, values, weights, input, outputs, classes. */
function named(name: string): Model {
  const model = tinyYolox();
  const { graph } = model;
  const tag = (old: string) => (old === '' ? '' : `${old}${name}`);
  const rename = <T extends { readonly name: string }>(item: T): T => ({ ...item, name: tag(item.name) });
  return {
    ...model,
    producer: name,
    docString: name,
    metadata: { names: JSON.stringify([name, `${name}2`, `${name}3`]) },
    graph: {
      ...graph,
      name,
      inputs: graph.inputs.map(rename),
      outputs: graph.outputs.map(rename),
      nodes: graph.nodes.map((n) => ({ ...rename(n), inputs: n.inputs.map(tag), outputs: n.outputs.map(tag), docString: name })),
      initializers: new Map([...graph.initializers].map(([key, t]) => [tag(key), rename(t)])),
      valueInfo: new Map([...graph.valueInfo].map(([key, info]) => [tag(key), rename(info)])),
    },
  };
}

const DEVICES = ['hailo8', 'tflite', 'ort'];
const rows = (name: string) => [{ model: name, environment: name, parameters: 1, weightBytes: 1, macs: 1, metrics: null }];

async function bundle(name: string, device: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const float = await toArtifact(`${name}.onnx`, named(name));
  const quant = {
    kind: 'quant' as const,
    hash: 'q',
    floatHash: float.hash,
    name,
    model: float.model,
    spec: float.spec,
    plan: [],
    notes: [name],
  };
  const rest = { original: float, quant, rows: rows(name), recipe: { bonsai: 1, name }, device };
  return bundleOf(float, { weights: 'original', activationRanges: 'studio' }, rest);
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const scripts = (files: ReadonlyMap<string, Uint8Array>) => [...files.keys()].filter((path) => /\.(py|sh)$/.test(path));

/** Fenced blocks of a Markdown file: what people copy into a shell. */
const blocks = (markdown: string) => [...markdown.matchAll(/```[^\n]*\n([\s\S]*?)```/g)].map((m) => m[1]!);

/** What a Markdown reader would take for HTML, a link or code once escapes are taken out. */
const live = (markdown: string) => markdown.replace(/```[\s\S]*?```/g, '').replace(/\\[\\`*_{}[\]()#+!|~$]/g, '');

const PYTHON = spawnSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 8)']).status === 0;
const BASH = spawnSync('bash', ['-c', 'true']).status === 0;

/** Prints the syntax tree of a script with its text constants blanked. */
const TREE = `
import ast, sys
tree = ast.parse(open(sys.argv[1], encoding="utf-8").read())
for node in ast.walk(tree):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node.value = ""
print(ast.dump(tree))
`;

describe.each(DEVICES)('a bundle for %s', (device) => {
  let plain: ReadonlyMap<string, Uint8Array>;
  beforeAll(async () => {
    plain = await bundle(HARMLESS, device);
  });

  it.each(NAMES)('keeps the name %j in its place', async (name) => {
    const files = await bundle(name, device);
    expect([...files.keys()]).toEqual([...plain.keys()]);
    expect(Object.keys(unzipSync(zipBundle(files)))).toEqual([...plain.keys()]);
    for (const path of scripts(plain)) {
      const [own, other] = [text(files.get(path)).split('\n'), text(plain.get(path)).split('\n')];
      const setting = (line: string) => path === 'retrain/retrain.py' && line.startsWith('SETTINGS = ');
      expect(
        own.filter((line) => !setting(line)),
        path,
      ).toEqual(other.filter((line) => !setting(line)));
      expect(own.filter(setting).every((line) => /^[\x20-\x7e]*$/.test(line))).toBe(true);
    }
    for (const path of ['README.md', 'retrain/README.md']) {
      const markdown = text(files.get(path));
      expect(blocks(markdown), path).toEqual(blocks(text(plain.get(path))));
      expect(markdown.split('\n').length, path).toBe(text(plain.get(path)).split('\n').length);
      expect(live(markdown), path).not.toMatch(/<[a-z/!]|\]\(|[\p{Cf}]/iu);
    }
    const script = files.get('model.alls');
    for (const line of script ? text(script).split('\n') : [])
      expect(line).toMatch(/^(#.*|[A-Za-z0-9_./{}()[\]=, -]*|nms_postprocess\("NMS_CONFIG", [a-z0-9_=, ]*\))$/);
    for (const path of files.keys()) if (path.endsWith('.json')) expect(() => JSON.parse(text(files.get(path)))).not.toThrow();
    const decoders = files.get('nms_config.json');
    if (decoders) expect(text(decoders)).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it.runIf(BASH)('has shell scripts that parse, substitute nothing and quote what they pass on', () => {
    for (const path of scripts(plain).filter((script) => script.endsWith('.sh'))) {
      const folder = unzipped(plain);
      expect(spawnSync('bash', ['-n', join(folder, path)]).status).toBe(0);
      const line = text(plain.get(path)).replace('"$(dirname "$0")"', '').replace('"$@"', '');
      expect(line).not.toMatch(/[$`]|eval/);
    }
  });
});

describe.runIf(PYTHON)(`exported Python${PYTHON ? '' : ' (skipped: no python3 of 3.8 or newer on the PATH)'}`, () => {
  const tree = (script: string): string => {
    const folder = unzipped(
      new Map([
        ['s.py', script],
        ['tree.py', TREE],
      ]),
    );
    return execFileSync('python3', [join(folder, 'tree.py'), join(folder, 's.py')], { encoding: 'utf8' });
  };

  it('differs between a hostile and a harmless bundle in text constants only', async () => {
    const plain = await bundle(HARMLESS, 'hailo8');
    const all = await bundle(NAMES.filter((name) => name.length < 100).join(''), 'hailo8');
    for (const path of scripts(plain).filter((script) => script.endsWith('.py')))
      expect(tree(text(all.get(path))) === tree(text(plain.get(path))), path).toBe(true);
    // The check itself sees a difference where there is one.
    expect(tree('x = "a"\nimport os') === tree('x = "a"')).toBe(false);
  });
});

describe('paths', () => {
  it.each(['../x', '/x', 'a/../b', 'a\\b', 'C:/x', 'C:x', 'a\u0000b', 'con', 'a/NUL.txt', 'lpt1.py', 'a.', '...', 'ü', ''])(
    '%j is no path in a bundle',
    (path) => {
      expect(() => zipBundle(new Map([[path, new Uint8Array()]]))).toThrow('is not a path for a bundle.');
    },
  );

  const folder = mkdtempSync(join(tmpdir(), 'bonsai-names-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['../secret.bin', '/etc/passwd', 'C:\\secret.bin', 'sub/../../secret.bin', '..\\secret.bin', 'a\u0000b'])(
    'external data at %j is not read',
    (location) => {
      mkdirSync(join(folder, 'model'), { recursive: true });
      writeFileSync(join(folder, 'secret.bin'), new Uint8Array(864));
      const item = baseOf('classifier');
      const bytes = mutate(item.bytes, [{ kind: 'external', item: 0, location, offset: '0', length: '864' }]);
      writeFileSync(join(folder, 'model', 'm.onnx'), bytes);
      const file = readModelFile(join(folder, 'model', 'm.onnx'), 'usage');
      expect(file.external.get(location)).toBeUndefined();
      expect(() => parseModel(file.bytes, file.external)).toThrow(
        location.includes('\u0000') ? 'that is not here' : 'which is not a file beside it',
      );
    },
  );
});

describe('names on screens', () => {
  const sources = (path: string): string[] =>
    statSync(path).isDirectory()
      ? readdirSync(path).flatMap((name) => sources(join(path, name)))
      : /\.(svelte|ts)$/.test(path)
        ? [path]
        : [];

  it('are text in the page, never markup or code', () => {
    const files = ['src', 'workers'].flatMap(sources);
    expect(files.length).toBeGreaterThan(100);
    const raw = /\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bnew Function\(|[^.\w]eval\(|srcdoc|javascript:/;
    expect(files.filter((file) => raw.test(readFileSync(file, 'utf8')))).toEqual([]);
  });

  it('move no cursor in a terminal', () => {
    const name = '\u001b]0;title\u0007\u009b31m\u202e';
    expect(columns([[name, 'x']])).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(terminalJson({ name })).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(terminalJson({ name }))).toEqual({ name });
  });

  it('survive a file as they are', () => {
    for (const name of NAMES) {
      const back = parseModel(serializeModel(named(name)));
      // A lone surrogate has no UTF-8.
      if (name !== '\ud800') expect(back.graph.nodes[0]!.name.endsWith(name)).toBe(true);
    }
  });
});
