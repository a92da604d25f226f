/**
 * Holds the documents to the tree: links resolve, paths and commands that are named exist, and
 * docs/features.md has the whole checklist. What runs in them is run by test/cluster/docs-examples.test.ts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'), { recursive: true })
    .map((file) => `docs/${String(file)}`)
    .filter((file) => file.endsWith('.md')),
];

/** A page without its blocks of code, whose brackets are no links. */
const proseOf = (page: string): string => read(page).replaceAll(/```[\s\S]*?```/g, '');

/** The anchors of a page, as they are made of its headings. */
function anchorsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** What is wrong with a link of a page; undefined when it leads somewhere. */
function brokenLink(page: string, target: string): string | undefined {
  if (/^https?:/.test(target)) return undefined;
  const [path, anchor] = target.split('#');
  const file = path === '' ? page : relative(root, resolve(root, dirname(page), path!));
  if (!existsSync(join(root, file))) return `${page}: ${target}`;
  if (anchor === undefined || anchorsOf(file).includes(anchor)) return undefined;
  return `${page}: no heading for ${target}`;
}

test('every link of README and docs leads to a file and a heading', (t) => {
  const links = pages.flatMap((page) =>
    [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => [page, target!] as const),
  );
  t.true(links.length > 40, `${links.length} found`);
  t.deepEqual(
    links.map(([page, target]) => brokenLink(page, target)).filter((wrong) => wrong !== undefined),
    [],
  );
});

test('every path of the tree that a page names exists', (t) => {
  const named = /`((?:\.ci|bench|docs|examples|lib|native|scripts|test)\/[\w./-]*)`/g;
  const wrong = pages.flatMap((page) =>
    [...proseOf(page).matchAll(named)]
      .filter(([, path]) => !existsSync(join(root, path!)))
      .map(([, path]) => `${page}: ${path}`),
  );
  t.deepEqual(wrong, []);
});

test('every npm script that a page names exists', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const wrong = pages.flatMap((page) =>
    [...read(page).matchAll(/npm run (?:-s )?(\w+)/g)]
      .filter(([, name]) => !Object.hasOwn(scripts, name!))
      .map(([call]) => `${page}: ${call}`),
  );
  t.deepEqual(wrong, []);
});

test('every page of docs/ is linked from another page', (t) => {
  const linked = new Set(
    pages.flatMap((page) =>
      [...proseOf(page).matchAll(/\]\(([^)#\s]+)/g)].map(([, target]) =>
        relative(root, resolve(root, dirname(page), target!)),
      ),
    ),
  );
  const lost = pages.filter((page) => /^docs\/[^/]+\.md$/.test(page) && !linked.has(page));
  t.deepEqual(lost, []);
});

/** How many rows the checklist has in each area. */
const checklist: Readonly<Record<string, number>> = {
  LB: 21,
  HE: 11,
  CO: 12,
  CF: 12,
  OP: 10,
  CS: 15,
  TR: 4,
  SY: 6,
  RE: 8,
  BE: 6,
  ST: 4,
  CH: 9,
};

test('docs/features.md has one row for every feature of the checklist', (t) => {
  const rows = [...read('docs/features.md').matchAll(/^\| ([A-Z]{2}-\d+) /gm)];
  const ids = Object.entries(checklist).flatMap(([area, count]) =>
    Array.from({ length: count }, (_, i) => `${area}-${i + 1}`),
  );
  const listed = new Set(rows.map(([, id]) => id));
  t.deepEqual(
    ids.filter((id) => !listed.has(id)),
    [],
  );
  t.is(rows.length, ids.length);
});

test('a feature that is there names its code and a test, one that is not gives a reason', (t) => {
  const rows = read('docs/features.md')
    .split('\n')
    .filter((line) => /^\| [A-Z]{2}-\d/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const wrong = rows.filter(([, , , state, what, code, tested]) => {
    if (state === 'no') return what === '';
    return (
      !['yes', 'part'].includes(state!) ||
      !/^`(?:lib|native|bench)\/[\w./-]+`$/.test(code!) ||
      !/^`(?:native\/)?test\/[\w./-]+`$/.test(tested!)
    );
  });
  t.deepEqual(wrong, []);
});
