/** Dialects A and B: one frame, mostly the same commands. The gateway greets, a simulator plays, the docs read the lists. */

export { greet } from './codec.ts'
export { deviceCodec } from './device.ts'
export type { Dialect } from './dialect.ts'
export { A, B } from './dialect.ts'
export type { Framer } from './frame.ts'
export { newFramer } from './frame.ts'
