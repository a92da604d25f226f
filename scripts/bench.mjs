// `npm run -s bench -- SUITE [--json] [--only PART,…]`: sets up what is missing, installs the suite's peers, runs it.
// Exit status: 0 all bars held, 1 a bar was missed or the run failed, 2 no such suite or part.
// With --json the report alone is on stdout; everything else goes to stderr.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { installPeers } from './bench-peers.mjs';
import { root } from './run-step.mjs';
import { runtimes } from './runtimes.mjs';
import { setup } from './setup.mjs';

const suites = readdirSync(join(root, 'bench', 'suites'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3));

/** Loads a compiled file of bench/. */
function load(path) {
  return import(pathToFileURL(join(root, 'dist', 'bench', path)).href);
}

async function main() {
  const options = {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [name] = positionals;
  if (values.json) console.log = console.error;
  if (name === undefined || !suites.includes(name)) {
    console.error(
      `usage: npm run -s bench -- SUITE [--json] [--only PART,…]; suites: ${suites.join(', ')}`,
    );
    return 2;
  }
  // A suite that needs packages of its own has a group of its name.
  await setup({ want: ['build', 'bench', name] });
  const { suite } = await load(`suites/${name}.js`);
  const only = values.only.split(',').filter((part) => part !== '');
  const unknown = only.filter((part) => !suite.parts?.includes(part));
  if (unknown.length > 0) {
    console.error(`no part ${unknown.join(', ')}; parts: ${suite.parts?.join(', ') ?? 'none'}`);
    return 2;
  }
  installPeers(suite.peers);
  if (suite.runtimes) runtimes();
  const { runSuite } = await load('run.js');
  return (await runSuite(suite, { json: values.json, only })) ? 0 : 1;
}

process.exitCode = await main();
