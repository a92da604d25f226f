/**
 * Strangers in a bounded place, by the address they come from. When it is full, or one address has more than its share,
 * the oldest of an address goes: an honest peer needs a round trip or two, one that stays silent would stay for ever,
 * and an address that sends many pays with its own.
 */

/** Who had to go, and for which limit. */
export interface Displaced<T> {
  readonly who: T;
  readonly limit: 'maxHalfOpen' | 'maxHalfOpenPerAddress';
}

/** The group of a `host:port`: the host, or the /64 of an IPv6 host, which is one customer. */
export function addressGroup(remoteAddress: string): string {
  const host = remoteAddress.slice(0, Math.max(0, remoteAddress.lastIndexOf(':')));
  const mapped = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(host);
  if (mapped) return mapped[1]!;
  const [head = '', tail] = host.split('::');
  if (tail === undefined) return host.split(':').slice(0, 4).join(':');
  const first = head === '' ? [] : head.split(':');
  const last = tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return [...first, ...zeros, ...last].slice(0, 4).join(':');
}

/** See the file header. */
export class Crowd<T> {
  readonly #most: number;
  readonly #mostOfAddress: number;
  readonly #groupOf = new Map<T, string>();
  /** By group, in order of age. */
  readonly #groups = new Map<string, Set<T>>();

  /** `most` altogether, `mostOfAddress` of one address. */
  constructor(most: number, mostOfAddress: number) {
    this.#most = most;
    this.#mostOfAddress = mostOfAddress;
  }

  get size(): number {
    return this.#groupOf.size;
  }

  all(): IterableIterator<T> {
    return this.#groupOf.keys();
  }

  /** Lets somebody in; returns who had to make room and is out already. */
  admit(who: T, remoteAddress: string): Displaced<T> | undefined {
    const name = addressGroup(remoteAddress);
    let group = this.#groups.get(name);
    let displaced: Displaced<T> | undefined;
    if (group && group.size >= this.#mostOfAddress) {
      displaced = { who: oldestOf(group), limit: 'maxHalfOpenPerAddress' };
    } else if (this.size >= this.#most) {
      displaced = { who: oldestOf(this.#largest()), limit: 'maxHalfOpen' };
    }
    if (displaced) this.release(displaced.who);
    group = this.#groups.get(name) ?? new Set();
    this.#groups.set(name, group.add(who));
    this.#groupOf.set(who, name);
    return displaced;
  }

  /** Somebody left, or is no stranger any more. */
  release(who: T): void {
    const name = this.#groupOf.get(who);
    if (name === undefined) return;
    this.#groupOf.delete(who);
    const group = this.#groups.get(name)!;
    group.delete(who);
    if (group.size === 0) this.#groups.delete(name);
  }

  #largest(): Set<T> {
    let largest: Set<T> | undefined;
    for (const group of this.#groups.values()) {
      if (!largest || group.size > largest.size) largest = group;
    }
    return largest!;
  }
}

function oldestOf<T>(group: Set<T>): T {
  const [oldest] = group;
  return oldest!;
}
