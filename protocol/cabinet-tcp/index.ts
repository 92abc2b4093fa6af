/** Dialects A and B: one frame, mostly the same commands. The gateway greets, a simulator plays, the docs read the lists. */

export type { Framer } from '../any-device.ts'
export { greet } from './codec.ts'
export { deviceCodec } from './device.ts'
export type { Dialect } from './dialect.ts'
export { A, B, mayMatter } from './dialect.ts'
export { newFramer } from './frame.ts'
