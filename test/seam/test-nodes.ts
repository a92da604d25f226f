/** Node binaries the process tests run on: this one, and those in DWCP_TEST_NODES (paths joined by `:`). */
export function testNodes(): readonly string[] {
  const others = (process.env['DWCP_TEST_NODES'] ?? '').split(':').filter((path) => path !== '');
  return [process.execPath, ...others];
}
