/** The part of `node-gyp-build` in use; the package ships no types. */
declare module 'node-gyp-build' {
  const nodeGypBuild: {
    /** Path of the addon under `dir` that fits this process; throws when there is none. */
    path(dir: string): string;
  };
  export default nodeGypBuild;
}
