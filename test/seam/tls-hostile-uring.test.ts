/** Hostile TLS peers on the I/O engine, tier uring. */
import { forceTlsTier } from './io-tier.ts';
import { tlsHostility } from './tls-hostile-kit.ts';

if (forceTlsTier('uring')) tlsHostility('uring');
