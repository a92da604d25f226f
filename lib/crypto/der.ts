/** A writer of DER (ITU-T X.690), just enough for certificates. Every function returns a whole element. */

/** An element: tag, length, content. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

function lengthOf(sizeBytes: number): Buffer {
  if (sizeBytes < 0x80) return Buffer.from([sizeBytes]);
  const digits: number[] = [];
  for (let rest = sizeBytes; rest > 0; rest >>>= 8) digits.unshift(rest & 0xff);
  return Buffer.from([0x80 | digits.length, ...digits]);
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => element(0x30, ...items);
export const set = (...items: readonly Uint8Array[]): Buffer => element(0x31, ...items);
export const octets = (bytes: Uint8Array): Buffer => element(0x04, bytes);
export const bool = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]));
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'));
/** A bit string with the last `unused` bits of its last byte not counted. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer =>
  element(0x03, Buffer.from([unused]), bytes);
/** A context-specific element: constructed around whole elements, or primitive around bytes. */
export const context = (n: number, bytes: Uint8Array, constructed: boolean): Buffer =>
  element((constructed ? 0xa0 : 0x80) | n, bytes);

/** A non-negative integer from big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  const sign = (digits[0] ?? 0) & 0x80 ? [0] : [];
  return element(0x02, Buffer.from(sign), digits);
}

/** An object identifier from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
    bytes.push(...digits);
  }
  return element(0x06, Buffer.from(bytes));
}

/** A time as RFC 5280 4.1.2.5 wants it: two-digit years until 2049, four-digit ones after. */
export function time(epochMs: number): Buffer {
  const stamp = new Date(epochMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  const early = Number(stamp.slice(0, 4)) < 2050;
  return element(early ? 0x17 : 0x18, Buffer.from(early ? stamp.slice(2) : stamp, 'ascii'));
}

/** Wraps DER in PEM armour. */
export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
