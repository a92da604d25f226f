/**
 * Builds the one self-contained page from its sources in `page/`: style and scripts go inline, and
 * the content security policy names their SHA-256, so nothing else can run and nothing is fetched.
 * The scripts are ES modules that only import each other; joining them in order needs no bundler.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Sources, in the order they are joined. */
const styles = ['base.css', 'map.css', 'panels.css'];
const scripts = ['dom.js', 'topology.js', 'bytes.js', 'charts.js', 'panels.js', 'main.js'];

/** The page and the policy that belongs to it. */
export interface AssembledPage {
  /** HTML with `{{token}}` where the request token goes. */
  readonly html: string;
  readonly policy: string;
}

function sourcePath(name: string): string {
  const here = new URL('.', import.meta.url);
  // Compiled code lives in dist/lib/dashboard; the page sources ship beside the TypeScript in lib/.
  const folder = here.pathname.endsWith('/dist/lib/dashboard/')
    ? '../../../lib/dashboard/page/'
    : './page/';
  return fileURLToPath(new URL(folder + name, here));
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

async function joined(names: readonly string[]): Promise<string> {
  const texts = await Promise.all(names.map((name) => readFile(sourcePath(name), 'utf8')));
  return texts.join('\n');
}

/** Modules without their imports and with their exports as plain declarations. */
function bodyOf(modules: string): string {
  return modules.replace(/^import [^;]*;\n/gm, '').replace(/^export /gm, '');
}

/** Reads the sources and joins them. Rejects when the package is incomplete. */
export async function assemblePage(): Promise<AssembledPage> {
  const [shell, style, script] = await Promise.all([
    readFile(sourcePath('index.html'), 'utf8'),
    joined(styles),
    joined(scripts).then((modules) => `'use strict';\n${bodyOf(modules)}`),
  ]);
  const html = shell
    .replace('<!-- style -->', () => `<style>${style}</style>`)
    .replace('<!-- script -->', () => `<script>${script}</script>`);
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { html, policy };
}
