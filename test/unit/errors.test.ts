/** The closed list of error codes: the same in TypeScript, in C++, and on its page. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { errorCodes } from '../../lib/errors.ts';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
const codes = Object.keys(errorCodes);

test('C++ has the same codes in the same order', (t) => {
  const listed = [...read('native/core/error_code.h').matchAll(/^ {2}CODE\((\w+)\)/gm)];
  t.deepEqual(
    listed.map(([, name]) => `ERR_DWCP_${name}`),
    codes,
  );
});

test('docs/errors.md has exactly one row for each code, with a meaning and what to do', (t) => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(ERR_DWCP_\w+)` +\|(.+)\|(.+)\|$/gm)];
  const explained = new Set(rows.map(([, code]) => code));
  t.deepEqual(
    codes.filter((code) => !explained.has(code)),
    [],
  );
  t.is(rows.length, codes.length);
  const empty = rows.filter(([, , means, todo]) => !means?.trim() || !todo?.trim());
  t.deepEqual(empty, []);
});
