/**
 * Small records: the operations of AWS's services as aws-sdk describes them, JSON of about 300 and about 1200
 * bytes. A dictionary is trained on every other service and judged on the rest, so that no record and no service it
 * is judged on was seen.
 */
import { readdirSync } from 'node:fs';
import { Dictionary } from '../../lib/compression/index.ts';
import { peerFile, peerFolder } from './archive.ts';

/** Records of one size. */
export interface RecordSet {
  readonly name: string;
  readonly training: readonly Buffer[];
  /** Not used for training. */
  readonly records: readonly Buffer[];
}

interface Service {
  readonly metadata: { readonly serviceId?: string };
  readonly operations?: Readonly<Record<string, object>>;
}

const PACKAGE = 'aws-1';
const bands = [
  { name: '300 B records', from: 250, to: 350 },
  { name: '1.2 KB records', from: 1000, to: 1400 },
] as const;

/** All operations by service, in the order of the files. */
function operations(): Buffer[][] {
  const folder = peerFolder(`${PACKAGE}/apis`);
  const files = readdirSync(folder).filter((file) => file.endsWith('.min.json'));
  return files.toSorted().map((file) => {
    const service = JSON.parse(peerFile(`${PACKAGE}/apis/${file}`).toString()) as Service;
    return Object.entries(service.operations ?? {}).map(([name, operation]) =>
      Buffer.from(JSON.stringify({ name, service: service.metadata.serviceId, ...operation })),
    );
  });
}

/** The small and the larger records. */
export function recordSets(): { readonly small: RecordSet; readonly large: RecordSet } {
  const services = operations();
  const [small, large] = bands.map(({ name, from, to }) => {
    const half = (odd: number): Buffer[] =>
      services
        .filter((_, i) => i % 2 === odd)
        .flat()
        .filter(({ length }) => length >= from && length < to);
    return { name, training: half(0), records: half(1) };
  });
  return { small: small!, large: large! };
}

const DICTIONARY_BYTES = 64 * 1024;

/** The dictionary of a set's training half. */
export function trained({ training }: RecordSet): Dictionary {
  return Dictionary.train(training, { sizeBytes: DICTIONARY_BYTES });
}
