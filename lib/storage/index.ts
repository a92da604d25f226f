/** `dwcp/storage`: the store a node keeps its state in, usable without a node. */
export { openStorage } from './open-storage.ts';
export type { OpenStorageOptions } from './open-storage.ts';
export type {
  BlobStore,
  OpenStorage,
  Storage,
  StorageEntry,
  StorageOp,
  StorageRange,
} from './storage.ts';
