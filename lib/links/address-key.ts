import type { Address } from '../transport/frame-pipe.ts';

/** One text per address, to compare and to show. */
export function addressKey({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
