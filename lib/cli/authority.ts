/**
 * A certificate authority in a folder: the root and its key, what was issued, and what was revoked.
 *   ca.pem, ca.key   root certificate and key (mode 0600)
 *   ca.json          the cluster
 *   issued.jsonl     one line per certificate issued
 *   revoked.txt      fingerprints, one per line: what nodes take as `revoked`
 * Nothing that is there is ever overwritten, keys above all.
 */
import { X509Certificate } from 'node:crypto';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority, issueCertificate } from '../crypto/certificates.ts';
import { formatIdentity, isIdentityName, type PeerIdentity } from '../crypto/peer-identity.ts';
import { systemRandom } from '../random.ts';
import { UsageError } from './command.ts';

const dayMs = 86_400_000;
/** Certificates begin this long before now, for clocks that are behind. */
const skewMs = 5 * 60_000;

/** One certificate that was issued. */
export interface Issued {
  readonly uri: string;
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
}

/** A line of {@link listIssued}. */
export interface Listed extends Issued {
  readonly state: 'good' | 'expired' | 'revoked';
}

const fileOf = (folder: string, name: string): string => join(folder, name);
const isThere = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EEXIST';

/** Writes a file that must not be there yet. */
async function create(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx', mode });
  } catch (error) {
    if (isThere(error)) throw new UsageError(`${path} is there already, and is not overwritten`);
    throw error;
  }
}

/** Writes files that must not be there yet: all, or none. */
async function createAll(files: readonly (readonly [string, string, number])[]): Promise<void> {
  const written: string[] = [];
  try {
    for (const [path, text, mode] of files) {
      await create(path, text, mode);
      written.push(path);
    }
  } catch (error) {
    await Promise.all(written.map((path) => rm(path)));
    throw error;
  }
}

/** Makes a root for `cluster` in `folder`; its certificate's path. @throws UsageError */
export async function initAuthority(
  folder: string,
  cluster: string,
  days: number,
): Promise<string> {
  if (!isIdentityName(cluster)) {
    throw new UsageError('--cluster must be 1 to 63 characters of A-Z a-z 0-9 . _ -');
  }
  const nowMs = Date.now();
  const { cert, key } = createAuthority({
    name: `dwcp ${cluster} root`,
    random: systemRandom,
    notBeforeMs: nowMs - skewMs,
    notAfterMs: nowMs + days * dayMs,
  });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await createAll([
    [fileOf(folder, 'ca.key'), key, 0o600],
    [fileOf(folder, 'ca.pem'), cert, 0o644],
    [fileOf(folder, 'ca.json'), `${JSON.stringify({ cluster })}\n`, 0o644],
    [fileOf(folder, 'issued.jsonl'), '', 0o644],
    [fileOf(folder, 'revoked.txt'), '', 0o644],
  ]);
  return fileOf(folder, 'ca.pem');
}

async function read(folder: string, name: string): Promise<string> {
  try {
    return await readFile(fileOf(folder, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError(`${folder} holds no authority; \`dwcp ca init\` makes one`);
  }
}

/** Reads REGION/NODE. @throws UsageError */
function readName(cluster: string, name: string): PeerIdentity {
  const [region = '', nodeId = '', ...rest] = name.split('/');
  if (rest.length > 0 || ![region, nodeId].every(isIdentityName)) {
    throw new UsageError(
      `${name} is not REGION/NODE, each 1 to 63 characters of A-Z a-z 0-9 . _ -`,
    );
  }
  return { cluster, region, nodeId };
}

async function clusterOf(folder: string): Promise<string> {
  return (JSON.parse(await read(folder, 'ca.json')) as { cluster: string }).cluster;
}

/** What {@link issueFrom} wrote. */
export interface IssuedFiles {
  readonly cert: string;
  readonly key: string;
  readonly issued: Issued;
}

/** Issues a certificate for REGION/NODE into the folder `out`. @throws UsageError */
export async function issueFrom(
  folder: string,
  name: string,
  days: number,
  out: string,
): Promise<IssuedFiles> {
  const identity = readName(await clusterOf(folder), name);
  const authority = { cert: await read(folder, 'ca.pem'), key: await read(folder, 'ca.key') };
  const nowMs = Date.now();
  const notAfterMs = nowMs + days * dayMs;
  const { validTo } = new X509Certificate(authority.cert);
  if (notAfterMs > Date.parse(validTo)) {
    throw new UsageError(`--days ${days} outlives the root, which ends ${validTo}`);
  }
  const validity = { random: systemRandom, notBeforeMs: nowMs - skewMs, notAfterMs };
  const { cert, key } = issueCertificate(authority, { identity, ...validity });
  await mkdir(out, { recursive: true });
  const base = join(out, identity.nodeId);
  await createAll([
    [`${base}.key`, key, 0o600],
    [`${base}.pem`, cert, 0o644],
  ]);
  const issued: Issued = {
    uri: formatIdentity(identity),
    fingerprint: new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase(),
    issuedAt: new Date(nowMs).toISOString(),
    expiresAt: new Date(notAfterMs).toISOString(),
  };
  await appendFile(fileOf(folder, 'issued.jsonl'), `${JSON.stringify(issued)}\n`);
  return { cert: `${base}.pem`, key: `${base}.key`, issued };
}

/** Entries of a list of the revoked: one per line, `#` begins a comment. */
export function readRevoked(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  return lines.filter((line) => line !== '');
}

/** Everything issued, oldest first. @throws UsageError */
export async function listIssued(folder: string): Promise<Listed[]> {
  const revoked = new Set(readRevoked(await read(folder, 'revoked.txt')));
  const lines = (await read(folder, 'issued.jsonl')).split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const issued = JSON.parse(line) as Issued;
    const expired = Date.parse(issued.expiresAt) <= Date.now();
    const state = revoked.has(issued.fingerprint) ? 'revoked' : expired ? 'expired' : 'good';
    return { ...issued, state };
  });
}

/** Revokes all good certificates of REGION/NODE, or the one with a fingerprint. @throws UsageError */
export async function revokeFrom(folder: string, what: string): Promise<Issued[]> {
  const listed = await listIssued(folder);
  const hex = what.replaceAll(':', '').toLowerCase();
  const byFingerprint = /^[0-9a-f]{64}$/.test(hex);
  const uri = byFingerprint ? '' : formatIdentity(readName(await clusterOf(folder), what));
  const found = listed.filter(
    (one) => one.state === 'good' && (byFingerprint ? one.fingerprint === hex : one.uri === uri),
  );
  if (found.length === 0) throw new UsageError(`no good certificate of ${what} was issued here`);
  const lines = found.map(
    (one) => `${one.fingerprint} # ${one.uri}, ${new Date().toISOString()}\n`,
  );
  await appendFile(fileOf(folder, 'revoked.txt'), lines.join(''));
  return found;
}
