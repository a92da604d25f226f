/**
 * File calls as promises, over the callback form of node:fs. Node 20 aborts the whole process when a worker is
 * terminated inside a call of node:fs/promises: the request cannot be made any more, and the call falls into
 * its synchronous path with too few arguments. The callback form makes its request first.
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';

export const close: typeof fs.close.__promisify__ = promisify(fs.close);
export const fsync: typeof fs.fsync.__promisify__ = promisify(fs.fsync);
export const mkdir: typeof fs.mkdir.__promisify__ = promisify(fs.mkdir);
export const open: typeof fs.open.__promisify__ = promisify(fs.open);
export const opendir: typeof fs.opendir.__promisify__ = promisify(fs.opendir);
export const readFile: typeof fs.readFile.__promisify__ = promisify(fs.readFile);
export const rename: typeof fs.rename.__promisify__ = promisify(fs.rename);
export const rm: typeof fs.rm.__promisify__ = promisify(fs.rm);
export const stat: typeof fs.stat.__promisify__ = promisify(fs.stat);
export const writeFile: typeof fs.writeFile.__promisify__ = promisify(fs.writeFile);
