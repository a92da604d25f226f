/** An identity as OpenSSL reads it in the engine: PEM is Node's business, DER goes over. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { DwcpError } from '../../errors.ts';
import type { IoTlsIdentity } from '../../native/io-contract.ts';
import type { TlsIdentity } from '../secure-transport.ts';

const certificatePem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Certificate, key and roots as DER.
 * @throws ERR_DWCP_IDENTITY when one of them cannot be read
 */
export function derIdentity(identity: TlsIdentity, ticketIntervalMs: number): IoTlsIdentity {
  return {
    certificates: read('certificate', () => derOf(identity.cert)),
    key: read('key', () => createPrivateKey(identity.key).export({ type: 'pkcs8', format: 'der' })),
    roots: read('roots', () => derOf(identity.ca)),
    ticketIntervalMs,
  };
}

function derOf(pem: string): Buffer {
  const found = pem.match(certificatePem) ?? [];
  if (found.length === 0) throw new Error('no PEM certificate in it');
  return Buffer.concat(found.map((each) => new X509Certificate(each).raw));
}

function read<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `The identity cannot be used: ${what}: ${why}`;
    throw new DwcpError('ERR_DWCP_IDENTITY', message, { cause });
  }
}
