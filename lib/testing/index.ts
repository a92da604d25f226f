/** `dwcp/testing`: virtual time, simulated links and disks, shaping and faults, for your own tests. */
export { createAuthority, issueCertificate } from '../crypto/certificates.ts';
export { fault, type FaultRates, type FaultyPipe } from './fault.ts';
export {
  type DirectionProfile,
  type LinkProfile,
  partitioned,
  profiles,
  wanProfile,
} from './link-profile.ts';
export { type OnIdentified, shape, type ShapedPipe, type ShapeOptions } from './shape.ts';
export {
  type LinkEnd,
  type ProfileFor,
  type ShapedTransport,
  shapeTransport,
  type ShapeTransportOptions,
} from './shape-transport.ts';
export { seededRandom } from '../random.ts';
export { SimulatedClock } from './simulated-clock.ts';
export { SimulatedDisk, type SimulatedDiskOptions } from './simulated-disk.ts';
export {
  SimulatedNetwork,
  type SimulatedPipeOptions,
  simulatedPipePair,
} from './simulated-pipe.ts';
