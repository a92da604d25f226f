/** `dwcp/testing`: virtual time, simulated links and disks, shaping and faults, for your own tests. */
export { SimulatedClock } from './simulated-clock.ts';
export {
  SimulatedNetwork,
  type SimulatedPipeOptions,
  simulatedPipePair,
} from './simulated-pipe.ts';
