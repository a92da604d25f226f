/**
 * Whether a peer may do something: the table of rights first, then the user's hook. Both must permit; either may
 * be absent. The table can be replaced while links live.
 */
import type { Logger } from '../telemetry/logger.ts';
import type { Authorize, Hello } from './link.ts';
import { type Right, Rights } from './rights.ts';

/** Options of {@link Permission}. */
export interface PermissionOptions {
  readonly authorize: Authorize | undefined;
  readonly rights: readonly Right[] | undefined;
  readonly logger: Logger;
}

/** See the file header. */
export class Permission {
  readonly #authorize: Authorize | undefined;
  readonly #logger: Logger;
  #rights: Rights | undefined;
  #refused = 0;

  /** @throws ERR_DWCP_INVALID_ARG for a wrong table */
  constructor({ authorize, rights, logger }: PermissionOptions) {
    this.#authorize = authorize;
    this.#rights = rights && new Rights(rights);
    this.#logger = logger;
  }

  /** Rows of the table; undefined without one. */
  get rights(): number | undefined {
    return this.#rights?.size;
  }

  /** Questions answered with no. */
  get refused(): number {
    return this.#refused;
  }

  permits(peer: Hello, secure: boolean, verb: string, namespace: string): boolean {
    const permitted =
      (this.#rights?.permits(peer, verb, namespace) ?? true) &&
      this.#asked(peer, secure, verb, namespace);
    if (!permitted) this.#refused += 1;
    return permitted;
  }

  /**
   * Replaces the table, or removes it; returns a test for peers whose rights are not what they were.
   * @throws ERR_DWCP_INVALID_ARG for a wrong table; the old one stays
   */
  setRights(table: readonly Right[] | undefined): (peer: Hello) => boolean {
    const [before, after] = [this.#rights, table && new Rights(table)];
    this.#rights = after;
    return (peer) => before?.digestOf(peer) !== after?.digestOf(peer);
  }

  /** Only `true` permits: a hook that throws, or answers with a promise, refuses. */
  #asked({ nodeId, region }: Hello, secure: boolean, verb: string, namespace: string): boolean {
    if (this.#authorize === undefined) return true;
    try {
      const peer = { nodeId, region, secure };
      const answer: unknown = this.#authorize({ peer, verb, namespace });
      return answer === true;
    } catch (error) {
      this.#logger.error({ nodeId, verb, namespace, error }, 'the authorize hook threw');
      return false;
    }
  }
}
