/** The example at the top of a guide runs, and prints what the guide says it prints. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const root = fileURLToPath(new URL('../../..', import.meta.url));

for (const guide of ['storage', 'conflict']) {
  test(`the example of docs/${guide}.md prints what the page says`, async (t) => {
    const page = readFileSync(join(root, 'docs', `${guide}.md`), 'utf8');
    const [, code = '', printed = ''] =
      /```js\n(.*?)```\n\nprints\n\n```text\n(.*?)```/s.exec(page) ?? [];
    t.not(code, '');
    const scratch = mkdtempSync(join(tmpdir(), 'dwcp-docs-'));
    t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
    const env = { ...process.env, TMPDIR: scratch };
    const args = ['--no-warnings', '--input-type=module', '-e', code];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
    t.is(stdout, printed);
  });
}
