/** `dwcp/health`: failure detection that does not blame peers for the observer's own stalls. */
export { Detector, defaultDetectorOptions } from './detector.ts';
export type { DetectorOptions, RunningMs, Sample, SuspicionReason, Verdict } from './detector.ts';
export { StallLog } from './stall-log.ts';
export { HealthMonitor } from './monitor.ts';
export type {
  HealthEvents,
  HealthLink,
  HealthOptions,
  HealthSnapshot,
  HealthSource,
  PeerHealth,
} from './monitor.ts';
