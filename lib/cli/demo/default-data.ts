/**
 * The default data of the demo: six successive releases of `@iconify-json/material-symbols`
 * (Apache-2.0), one large JSON each. The sizes let a tier without zstd state the reference honestly;
 * they hold only for content with these digests.
 */

/** One release: its version, content, and what zstd 1.5.7 at level 3 makes of it. */
export interface Release {
  readonly version: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly zstd3Bytes: number;
}

/** Package and file of the default data. */
export const dataPackage = '@iconify-json/material-symbols';
export const dataFile = 'icons.json';

/** In the order they are written. */
export const releases: readonly Release[] = [
  {
    version: '1.2.90',
    sizeBytes: 8411112,
    sha256: 'b3005ffd327c8e3b670ce0edefbb85c16ddf5ad0d56153cc7bdb37b096484d6b',
    zstd3Bytes: 1219002,
  },
  {
    version: '1.2.91',
    sizeBytes: 8420788,
    sha256: '7277b68a33a3734c5d4f3662a570ffe7618a2904a93ad94652f30bd519e01f80',
    zstd3Bytes: 1221841,
  },
  {
    version: '1.2.92',
    sizeBytes: 8435558,
    sha256: 'fa6b759921199d6bd59966a75a374ed4e8facf37c3d0359bb66f56c607cfdfcb',
    zstd3Bytes: 1224469,
  },
  {
    version: '1.2.93',
    sizeBytes: 8474182,
    sha256: '891b1209b0c27f7995a58bd4ae55fe7f2b8607791f164244f27e70e1cae52d51',
    zstd3Bytes: 1229130,
  },
  {
    version: '1.2.95',
    sizeBytes: 8480040,
    sha256: 'd16a2f362aa9b61ec68e0b0087e103e54deaf727168b9262dc5099fe594af59a',
    zstd3Bytes: 1229076,
  },
  {
    version: '1.2.98',
    sizeBytes: 8506031,
    sha256: 'b125ca017d5fa9e2d05e171d8068ef5776f02835a86b4024b2d97ae8190f5172',
    zstd3Bytes: 1232349,
  },
];
