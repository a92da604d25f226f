/** One authenticated link per peer. */
export { addressKey } from './address-key.ts';
export { Backoff, defaultBackoff } from './backoff.ts';
export type { BackoffOptions } from './backoff.ts';
export { decodeHello, encodeHello, helloLimits, isName } from './hello.ts';
export { Channel } from './link.ts';
export type {
  Authorize,
  AuthorizeRequest,
  Hello,
  Link,
  LinkEvents,
  Links,
  LinksStats,
  LinkStats,
  NodeLinks,
} from './link.ts';
export { createLinks } from './links.ts';
export type { LinksOptions } from './links.ts';
export type { Right, RightVerb } from './rights.ts';
