/** Whether the engine of this thread can do TLS: tried once, with certificates made for it. */
import { createAuthority, issueCertificate } from '../../crypto/certificates.ts';
import { systemRandom } from '../../random.ts';
import { ticketIntervalMs } from '../tls-policy.ts';
import type { Engine } from './engine.ts';
import { derIdentity } from './tls-identity.ts';

const tried = new WeakMap<Engine, string | undefined>();

/** Why the engine cannot do TLS, or undefined when it can. */
export function tlsProblem(engine: Engine, nowMs: number): string | undefined {
  if (!tried.has(engine)) tried.set(engine, probe(engine, nowMs));
  return tried.get(engine);
}

function probe(engine: Engine, nowMs: number): string | undefined {
  try {
    const valid = { notBeforeMs: nowMs - 86_400_000, notAfterMs: nowMs + 86_400_000 };
    const authority = createAuthority({ name: 'probe', random: systemRandom, ...valid });
    const identity = { cluster: 'probe', region: 'probe', nodeId: 'probe' };
    const own = issueCertificate(authority, { identity, random: systemRandom, ...valid });
    return engine.tls.tlsProbe(derIdentity({ ...own, ca: authority.cert }, ticketIntervalMs));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
