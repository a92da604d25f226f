/** Hostile TLS peers on the I/O engine, tier epoll. */
import { forceTlsTier } from './io-tier.ts';
import { tlsHostility } from './tls-hostile-kit.ts';

if (forceTlsTier('epoll')) tlsHostility('epoll');
