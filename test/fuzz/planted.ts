/** A defect that random bytes do not find and guided ones do: each byte that fits opens the next comparison. */
export function planted(input: Buffer): void {
  if (input[0] !== 0x44) return;
  if (input[1] !== 0x57) return;
  if (input[2] !== 0x43) return;
  if (input[3] !== 0x50) return;
  throw new Error('planted');
}
