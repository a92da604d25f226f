/** Started by `npm run fuzz`: `run.js TARGET SECONDS SEED FOLDER`, or `run.js TARGET FILE` to replay a failure. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fuzz, runOne } from './fuzzer.ts';
import { targets } from './targets.ts';

const nameOf = (input: Buffer): string =>
  createHash('sha256').update(input).digest('hex').slice(0, 16);

function replay(name: string, file: string): number {
  try {
    runOne(targets[name]!, readFileSync(file));
  } catch (error) {
    console.error(error);
    return 1;
  }
  console.log(`${name}: ${file} shows no defect`);
  return 0;
}

function main([name = '', what = '', seed = '1', folder = '.']: readonly string[]): number {
  const target = targets[name];
  if (!target) throw new Error(`no target ${name}`);
  if (!(Number(what) > 0)) return replay(name, what);
  const corpus = join(folder, name);
  const failures = join(folder, `${name}-failures`);
  for (const each of [corpus, failures]) mkdirSync(each, { recursive: true });
  const startMs = performance.now();
  const report = fuzz(target, {
    seed: Number(seed),
    goOn: () => performance.now() - startMs < Number(what) * 1_000,
    corpus: readdirSync(corpus)
      .toSorted()
      .map((file) => readFileSync(join(corpus, file))),
    onKept: (input) => writeFileSync(join(corpus, nameOf(input)), input),
  });
  const { runs, reached, failure } = report;
  console.log(
    `${name}: ${runs} runs, ${reached} characters of source reached, ${report.corpus} inputs in the corpus`,
  );
  if (!failure) return 0;
  const file = join(failures, nameOf(failure.input));
  writeFileSync(file, failure.input);
  console.error(failure.error);
  console.error(`${name}: FAILED; replay with: npm run fuzz -- ${name} ${file}`);
  return 1;
}

process.exitCode = main(process.argv.slice(2));
