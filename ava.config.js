// Tests run compiled: `tsc` writes dist/test, AVA runs it. One process per file, so that a native
// crash ends one test file and not the runner.
export default {
  files: ['dist/test/**/*.test.js'],
  workerThreads: false,
  concurrency: 2,
  timeout: '5m',
  nodeArguments: ['--enable-source-maps', '--no-warnings=ExperimentalWarning'],
  failWithoutAssertions: true,
};
