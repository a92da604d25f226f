/** What a handler is told about its request. */
import type { DwcpError } from '../errors.ts';
import { noMetadata, type Metadata } from './metadata.ts';
import type { CallContext, NodeRef } from './types.ts';
import type { RequestHeader } from './wire-request.ts';

/** A handler's context; its AbortController is made only if the handler asks for the signal. */
export class HandlerContext implements CallContext {
  readonly deadlineMs: number;
  readonly peer: NodeRef;
  readonly service: string;
  readonly key: string | undefined;
  readonly metadata: Metadata;
  #controller: AbortController | undefined;
  #reason: DwcpError | undefined;

  constructor({ deadlineMs, service, key, metadata }: RequestHeader, peer: NodeRef) {
    this.deadlineMs = deadlineMs === 0 ? Number.POSITIVE_INFINITY : deadlineMs;
    this.service = service;
    this.key = key;
    this.metadata = metadata ?? noMetadata;
    this.peer = peer;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: DwcpError): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}
