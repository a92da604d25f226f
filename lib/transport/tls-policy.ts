/** What mutual TLS means here, the same over node:tls and in the I/O engine (native/core/io/tls_context.cc). */

/** TLS 1.3 alone, which has no renegotiation and no compression; the fastest suite that is safe first. */
export const tlsPolicy = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  honorCipherOrder: true,
  rejectUnauthorized: true,
} as const;

/** How long ticket keys make new tickets; they are good for one interval more. */
export const ticketIntervalMs = 3_600_000;
