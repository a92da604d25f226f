/** `dwcp/balancing`: the adaptive picker, its hedge delay and its budgets, useful alone. */
export { Picker } from './picker.ts';
export type { EndpointStats, PickOptions, PickerOptions } from './picker.ts';
export type { Lease } from './lease.ts';
export type { Endpoint, EndpointState } from './endpoint.ts';
export { Budget } from './budget.ts';
export type { BudgetOptions } from './budget.ts';
export { ServiceTimes, hedgeBoundsMs } from './hedge.ts';
export { rendezvous } from './affinity.ts';
