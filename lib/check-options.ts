/**
 * Checks of option objects. An option that is not known is refused like one of the wrong type, so that a
 * misspelt name (`storge`, `polcy`) is an error and not a default. Undefined counts as absent.
 */
import { invalidArg } from './errors.ts';

/** What a value must be, in words, and the test for it. */
export type Check = readonly [expected: string, test: (value: unknown) => boolean];

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Left to whoever reads it. */
export const anything: Check = ['anything', () => true];
export const aBoolean: Check = ['true or false', (value) => typeof value === 'boolean'];
export const aString: Check = ['a string', (value) => typeof value === 'string'];
export const aFunction: Check = ['a function', (value) => typeof value === 'function'];
export const strings: Check = [
  'an array of strings',
  (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
];
/** Longest time a timer takes, ms; longer ones would end at once. */
const longestMs = 0x7fff_ffff;
export const aDuration: Check = [
  `a number of ms above 0 and at most ${longestMs}`,
  (value) => typeof value === 'number' && value > 0 && value <= longestMs,
];
export const aCount: Check = [
  'an integer above 0',
  (value) => typeof value === 'number' && value > 0 && Number.isInteger(value),
];
export const aSignal: Check = ['an AbortSignal', (value) => value instanceof AbortSignal];

/** An object with these methods. */
export function having(...methods: readonly string[]): Check {
  const has = (value: object, name: string): boolean =>
    typeof (value as Readonly<Record<string, unknown>>)[name] === 'function';
  return [
    methods.length === 0 ? 'an object' : `an object with ${methods.join(', ')}`,
    (value) => isObject(value) && methods.every((name) => has(value, name)),
  ];
}

/**
 * Checks every option of an object.
 * @throws ERR_DWCP_INVALID_ARG naming the option, or `path` itself when it is no object
 * @example checkOptions('options', { prefx: 'a' }, { prefix: aString }) // options.prefx must be …
 */
export function checkOptions(
  path: string,
  options: unknown,
  checks: Readonly<Record<string, Check>>,
): void {
  if (!isObject(options)) invalidArg(path, 'an object', options);
  for (const name of Object.keys(options)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) invalidArg(`${path}.${name}`, `one of ${Object.keys(checks).join(', ')}`, name);
    const [expected, test] = check;
    if (value !== undefined && !test(value)) invalidArg(`${path}.${name}`, expected, value);
  }
}
