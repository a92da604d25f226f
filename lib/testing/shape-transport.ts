/** `shapeTransport()`: every pipe of a transport shaped by who is at its other end. */
import { type Clock, sleep, systemClock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import { type Random, seededRandom } from '../random.ts';
import type { Address, FramePipe, PipeTransport } from '../transport/frame-pipe.ts';
import type { LinkProfile } from './link-profile.ts';
import { shape, type ShapedPipe } from './shape.ts';

/** What is known of the other end: the address of a dial at once, the rest after Hello. */
export interface LinkEnd {
  readonly address?: Address | undefined;
  readonly nodeId?: string | undefined;
  readonly region?: string | undefined;
}

/** Chooses the profile of a link; undefined leaves it as it is. */
export type ProfileFor = (end: LinkEnd) => LinkProfile | undefined;

/** A transport whose links can be changed while they live. */
export interface ShapedTransport extends PipeTransport {
  /** Asks `profileFor` again for every live pipe: call it after the answers changed. */
  refresh(): void;
}

/** Options of {@link shapeTransport}. */
export interface ShapeTransportOptions {
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/**
 * Shapes every pipe of `transport`. A dial whose profile is partitioned fails with ERR_DWCP_CONNECT after one
 * round trip of its delay.
 * @example
 * const far = new Map([['eu', profiles.wan80], ['ap', profiles.wan220]]);
 * const transport = shapeTransport(netTransport(), ({ region }) => far.get(region ?? ''));
 */
export function shapeTransport(
  transport: PipeTransport,
  profileFor: ProfileFor,
  options: ShapeTransportOptions = {},
): ShapedTransport {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? seededRandom(1);
  const live = new Map<ShapedPipe, LinkEnd>();

  const wrap = (inner: FramePipe, known: LinkEnd): ShapedPipe => {
    const pipe = shape(inner, profileFor(known) ?? {}, clock, {
      random,
      onIdentified: (peer) => {
        const end = { ...live.get(pipe), ...peer };
        if (live.has(pipe)) live.set(pipe, end);
        pipe.setProfile(profileFor(end) ?? {});
      },
      onClosed: () => live.delete(pipe),
    });
    live.set(pipe, known);
    return pipe;
  };

  return {
    tier: transport.tier,
    listen: (address, onPipe) => transport.listen(address, (inner) => onPipe(wrap(inner, {}))),
    connect: async (address, { signal }) => {
      await checkReachable(profileFor({ address }), address, clock, signal);
      return wrap(await transport.connect(address, { signal }), { address });
    },
    refresh: () => {
      for (const [pipe, end] of live) pipe.setProfile(profileFor(end) ?? {});
    },
  };
}

async function checkReachable(
  profile: LinkProfile | undefined,
  address: Address,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!profile?.outbound?.partitioned && !profile?.inbound?.partitioned) return;
  const delayMs = (profile.outbound?.delayMs ?? 0) * 2;
  try {
    await sleep(clock, delayMs, signal);
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_ABORTED', 'The dial was aborted', { cause });
  }
  throw new DwcpError('ERR_DWCP_CONNECT', `${address.host}:${address.port} is partitioned away`);
}
