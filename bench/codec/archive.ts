/** Files and archives of the packages in bench/peers. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../../../bench/peers/node_modules', import.meta.url));
const BLOCK_BYTES = 512;

/** A folder of a package. */
export function peerFolder(path: string): string {
  return join(modules, path);
}

/** One file of a package. */
export function peerFile(path: string): Buffer {
  return readFileSync(peerFolder(path));
}

/** Every file of a package behind a block with its name, as in a tar; cut to `maxBytes`. */
export function archive(name: string, maxBytes: number = Infinity): Buffer {
  const home = peerFolder(name);
  const paths = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
    .toSorted();
  const pieces: Buffer[] = [];
  let size = 0;
  for (const path of paths) {
    const content = peerFile(join(name, path));
    const header = Buffer.alloc(BLOCK_BYTES);
    header.write(`${path}\0${content.length}`);
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    pieces.push(header, content, padding);
    size += header.length + content.length + padding.length;
    if (size >= maxBytes) break;
  }
  return Buffer.concat(pieces).subarray(0, Math.min(size, maxBytes));
}
