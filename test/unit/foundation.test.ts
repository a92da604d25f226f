/** Errors, limits, clock, randomness and node options: the ground everything stands on. */
import test from 'ava';
import { sleep, systemClock } from '../../lib/clock.ts';
import { DwcpError, errorCodes, invalidArg, isDwcpError } from '../../lib/errors.ts';
import { defaultLimits, resolveLimits } from '../../lib/limits.ts';
import { parseAddress, resolveNodeOptions } from '../../lib/node/options.ts';
import { seededRandom, systemRandom } from '../../lib/random.ts';

test('an error carries its code, cause and particulars, and is known across package copies', (t) => {
  const cause = new Error('below');
  const error = new DwcpError('ERR_DWCP_STORAGE', 'disk full', { cause, detail: { path: 'x' } });
  t.is(error.code, 'ERR_DWCP_STORAGE');
  t.is(error.cause, cause);
  t.deepEqual(error.detail, { path: 'x' });
  const foreign = Object.assign(new Error('copy'), { [Symbol.for('dwcp.error')]: true });
  t.true(foreign instanceof DwcpError);
  t.false(new Error('plain') instanceof DwcpError);
  t.true(isDwcpError(error, 'ERR_DWCP_STORAGE'));
  t.false(isDwcpError(error, 'ERR_DWCP_CLOSED'));
});

test('every code has a sentence, which is the default message', (t) => {
  for (const [code, text] of Object.entries(errorCodes)) {
    t.regex(code, /^ERR_DWCP_[A-Z_]+$/);
    t.true(text.endsWith('.'), code);
  }
  t.is(new DwcpError('ERR_DWCP_CLOSED').message, errorCodes.ERR_DWCP_CLOSED);
});

test('a bad argument is named with what was expected and what came', (t) => {
  const error = t.throws(() => invalidArg('seeds[1].port', 'a port', {}));
  t.is((error as DwcpError).code, 'ERR_DWCP_INVALID_ARG');
  t.is(error?.message, 'seeds[1].port must be a port, received Object');
});

test('limits take overrides by area and refuse nonsense', (t) => {
  const limits = resolveLimits({ state: { maxSiblings: 3 } });
  t.is(limits.state.maxSiblings, 3);
  t.is(limits.state.maxChain, defaultLimits.state.maxChain);
  for (const wrong of [
    { state: { maxSiblings: 0 } },
    { link: { nope: 1 } },
    { call: { x: '1' } },
  ]) {
    t.throws(() => resolveLimits(wrong as never), { code: 'ERR_DWCP_INVALID_ARG' });
  }
});

test('sleep ends early with the reason of its signal', async (t) => {
  const reason = new Error('enough');
  await t.throwsAsync(sleep(systemClock, 60_000, AbortSignal.abort(reason)), { is: reason });
  const controller = new AbortController();
  const sleeping = sleep(systemClock, 60_000, controller.signal);
  controller.abort(reason);
  await t.throwsAsync(sleeping, { is: reason });
  await t.notThrowsAsync(sleep(systemClock, 1));
});

test('the seeded generator repeats itself and fills [0, 1)', (t) => {
  const [a, b] = [seededRandom(7), seededRandom(7)];
  const first = Array.from({ length: 1_000 }, () => a.next());
  t.deepEqual(
    first,
    Array.from({ length: 1_000 }, () => b.next()),
  );
  t.true(first.every((x) => x >= 0 && x < 1));
  const mean = first.reduce((sum, x) => sum + x, 0) / first.length;
  t.true(Math.abs(mean - 0.5) < 0.05, `mean ${mean}`);
  t.is(systemRandom.bytes(9).length, 9);
});

test('addresses parse from text and objects, IPv6 included', (t) => {
  t.deepEqual(parseAddress('listen', '127.0.0.1:80'), { host: '127.0.0.1', port: 80 });
  t.deepEqual(parseAddress('listen', '[::1]:65535'), { host: '::1', port: 65_535 });
  for (const wrong of ['127.0.0.1', 'a:b', ':80', 'host:70000', { host: '', port: 1 }, null]) {
    t.throws(() => parseAddress('listen', wrong as string), { code: 'ERR_DWCP_INVALID_ARG' });
  }
});

test('node options name the one that is wrong', (t) => {
  const ok = resolveNodeOptions({ region: 'eu', random: seededRandom(1), seeds: ['127.0.0.1:9'] });
  t.regex(ok.nodeId, /^eu-[0-9a-f]{8}$/);
  t.deepEqual(ok.listen, { host: '127.0.0.1', port: 0 });
  t.is(resolveNodeOptions({ region: 'eu', listen: false }).listen, undefined);
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{}, /^region must/],
    [{ region: 'a b' }, /^region must/],
    [{ region: 'eu', nodeId: '' }, /^nodeId must/],
    [{ region: 'eu', seeds: 'x' }, /^seeds must/],
    [{ region: 'eu', storge: { path: 'x' } }, /^options\.storge must be one of region/],
    [{ region: 'eu', storage: 'folder' }, /^options\.storage must be an object/],
    [{ region: 'eu', storage: {} }, /^options\.storage\.path/],
    [{ region: 'eu', storage: { path: 'x', kind: 'level' } }, /^options\.storage\.kind/],
    [{ region: 'eu', allowPlaintext: 'false' }, /^options\.allowPlaintext must be true or false/],
    [{ region: 'eu', identity: null }, /^options\.identity/],
    [{ region: 'eu', authorize: 'x' }, /^options\.authorize/],
    [{ region: 'eu', transport: {} }, /^options\.transport/],
    [{ region: 'eu', clock: {} }, /^options\.clock must be an object with now/],
    [{ region: 'eu', logger: { info() {} } }, /^options\.logger/],
    [{ region: 'eu', limits: { links: {} } }, /^limits\.links/],
    [{ region: 'eu', limits: { link: 5 } }, /^limits\.link must be an object/],
    [{ region: 'eu', limits: { link: { toString: 5 } } }, /^limits\.link\.toString/],
    [{ region: 'eu', limits: { link: { maxStreams: 1.5 } } }, /^limits\.link\.maxStreams/],
    [{ region: 'eu', limits: { link: { maxFramePayloadBytes: 9 } } }, /maxFramePayloadBytes/],
    [{ region: 'eu', limits: { state: { maxValueBytes: 2 ** 28 } } }, /^limits\.state\.maxValue/],
    [{ region: 'eu', storage: { path: '' } }, /^options\.storage\.path/],
    [{ region: 'eu', identity: { cert: 'x', key: 'y', ca: 'z' } }, /^identity\.cert/],
  ];
  for (const [options, message] of wrong) {
    t.throws(() => resolveNodeOptions(options as never), { code: 'ERR_DWCP_INVALID_ARG', message });
  }
});
