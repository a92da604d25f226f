/**
 * Every export of the public subpaths has a docstring where it is declared; functions and classes show an
 * example in it. Reads the index files and follows their re-exports; no type checker needed.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\//g, '');

/** `export * from`, `export { a, type b } from`, `import { a } from`: the names, and the file. */
const links = /(?:export|import)\s+(?:type\s+)?(?:\*|\{([^}]*)\})\s+from\s+'(\.[^']+)'/g;

interface Link {
  /** Undefined means all names. */
  readonly names: readonly string[] | undefined;
  readonly file: string;
}

function linksOf(file: string): Link[] {
  return [...withoutComments(read(file)).matchAll(links)].map(([, list, target]) => ({
    names: list
      ?.split(',')
      .map((name) => name.trim().replace(/^type\s+/, ''))
      .filter((name) => name !== ''),
    file: normalize(join(dirname(file), target!)),
  }));
}

interface Exported {
  readonly name: string;
  readonly file: string;
}

function exportsOf(index: string): Exported[] {
  return linksOf(index).flatMap(({ names, file }) =>
    names === undefined ? exportsOf(file) : names.map((name) => ({ name, file })),
  );
}

const declared = (name: string): RegExp =>
  new RegExp(
    String.raw`(/\*\*(?:(?!\*/)[\s\S])*\*/\n)?` +
      String.raw`export (?:async )?(class|function|const|interface|type) ${name}\b`,
  );

/** Where the name is declared, through any re-exports, with its docstring. */
function declarationOf({ name, file }: Exported): { doc: string; kind: string } | undefined {
  const [, doc = '', kind] = declared(name).exec(read(file)) ?? [];
  if (kind !== undefined) return { doc, kind };
  const next = linksOf(file).find(({ names }) => names?.includes(name));
  return next && declarationOf({ name, file: next.file });
}

const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
const indexes = Object.values(exports)
  .filter((entry): entry is { default: string } => typeof entry === 'object' && entry !== null)
  .map((entry) => entry.default.replace('./dist/', '').replace(/\.js$/, '.ts'));
const exported = indexes.flatMap((index) => exportsOf(index));
const shown = ({ name, file }: Exported): string => `${file}: ${name}`;

test('every public export is found where it is declared', (t) => {
  t.true(exported.length > 200, `${exported.length} found`);
  t.deepEqual(exported.filter((one) => declarationOf(one) === undefined).map(shown), []);
});

test('every public export has a docstring', (t) => {
  t.deepEqual(exported.filter((one) => declarationOf(one)?.doc === '').map(shown), []);
});

test('every public function and class shows an example', (t) => {
  const bare = exported.filter((one) => {
    const { doc, kind } = declarationOf(one)!;
    return ['function', 'class'].includes(kind) && !doc.includes('@example');
  });
  t.deepEqual(bare.map(shown), []);
});
