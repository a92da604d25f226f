/** A pipe that nobody started and whose peer is gone keeps no process alive, on any tier. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { native } from '../../lib/native/load.ts';

const child = fileURLToPath(new URL('unread-exit-child.js', import.meta.url));

/** `best` is the ring where it is allowed. */
for (const tier of native.io ? ['net', 'epoll', 'best'] : ['net']) {
  test(`${tier}: a process ends although nobody read what a peer left behind`, async (t) => {
    const { stdout } = await promisify(execFile)(process.execPath, [child], {
      env: { ...process.env, DWCP_IO: tier === 'best' ? '' : tier },
      timeout: 10_000,
    });
    t.regex(stdout, tier === 'best' ? /^(uring|epoll)\n$/ : new RegExp(`^${tier}\n$`));
  });
}
