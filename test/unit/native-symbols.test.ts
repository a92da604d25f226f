/**
 * The promises of the binary: it runs on glibc 2.28 with libstdc++ of GCC 8, it leaks no symbol of its
 * libraries (Node 22 and later export their own zstd and would take over), and it stays mapped.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { nativeStatus } from '../../lib/native/load.ts';
import { DF_1_NODELETE, type DynamicInfo, readDynamicInfo } from './elf-symbols.ts';

const built = fileURLToPath(new URL('../../../build/Release/dwcp.node', import.meta.url));
const limits: Readonly<Record<string, readonly number[]>> = {
  GLIBC: [2, 28],
  GLIBCXX: [3, 4, 25],
  CXXABI: [1, 3, 11],
  GCC: [7, 0, 0],
};

function isAbove(version: string): boolean {
  const [family = '', numbers = ''] = version.split('_');
  const limit = limits[family];
  if (limit === undefined) return true;
  const parts = numbers.split('.').map(Number);
  for (let i = 0; i < Math.max(parts.length, limit.length); i += 1) {
    const difference = (parts[i] ?? 0) - (limit[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

const foreign = /^(?:ZSTD|XXH|ZDICT|HUF|FSE|HIST|POOL|ERR)_/;

test('versions compare by number', (t) => {
  t.deepEqual(
    ['GLIBC_2.28', 'GLIBC_2.2.5', 'GLIBC_2.29', 'GLIBCXX_3.4.9', 'GLIBCXX_3.4.26'].map(isAbove),
    [false, false, true, false, true],
  );
});

test('an addon that is built is the one that runs', (t) => {
  const wanted = existsSync(built) && process.env['DWCP_NATIVE'] !== 'off';
  t.true(!wanted || nativeStatus().tier === 'addon', nativeStatus().reason);
});

if (process.platform === 'linux' && existsSync(built)) {
  const info: DynamicInfo = readDynamicInfo(built);

  test('no symbol is newer than GLIBC 2.28 and GLIBCXX 3.4.25', (t) => {
    const versioned = info.symbols.filter(({ version }) => version !== undefined);
    t.true(versioned.length > 5);
    t.deepEqual(
      versioned.filter(({ version }) => isAbove(version!)),
      [],
    );
  });

  test('no symbol of zstd or xxHash is exported or imported', (t) => {
    t.deepEqual(
      info.symbols.filter(({ name }) => foreign.test(name)),
      [],
    );
  });

  test('only the two entry points of Node-API are exported', (t) => {
    const exported = info.symbols.filter(({ defined }) => defined).map(({ name }) => name);
    t.deepEqual(exported.toSorted(), [
      'napi_register_module_v1',
      'node_api_module_get_api_version_v1',
    ]);
  });

  test('the library is never unmapped and needs only what Node needs, too', (t) => {
    t.not(info.flags1 & DF_1_NODELETE, 0);
    const allowed = /^(?:libc|libm|libstdc\+\+|libgcc_s|libpthread|libdl)\.so\.\d+$|^ld-linux/;
    t.deepEqual(
      info.needed.filter((name) => !allowed.test(name)),
      [],
    );
  });
}
