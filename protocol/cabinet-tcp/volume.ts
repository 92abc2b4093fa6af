import { bare, command } from '../define.ts'
import { oneOf, optional, u8, u8In } from '../field.ts'

/** docs/protocol.md 3, 0x77. */
export const volume = command({
  code: 0x77,
  name: 'query_voice_volume',
  ...bare('volume'),
  doc: 'How loud the cabinet speaks: 0–15, or in percent by the firmware that says more than 15.',
  up: { level: u8 },
  means: ({ level }) => ({ kind: 'volume', level }),
  says: ({ level }) => ({ level }),
  examples: [
    { down: '', body: {} },
    { up: '02', body: { level: 2 } },
  ],
})

/** Captured answers are one byte `01`; the vendor's document says none. Both are taken (docs/protocol.md 6). */
export const setVolume = command({
  code: 0x70,
  name: 'set_voice_volume',
  kind: 'set_volume',
  doc: 'Set how loud the cabinet speaks, 0–15, or in percent where its answers are. The answer is `01`, or empty.',
  down: { level: u8In(0, 100) },
  from: ({ level }) => ({ level }),
  asks: ({ level }) => ({ kind: 'set_volume', level }),
  up: { result: optional(oneOf({ failed: 0, done: 1 })) },
  means: ({ result = 'done' }) => ({ kind: 'set_volume', ok: result === 'done' }),
  says: ({ ok }) => ({ result: ok ? ('done' as const) : ('failed' as const) }),
  examples: [
    { down: '0A', body: { level: 10 } },
    { up: '01', body: { result: 'done' } },
    { up: '', body: {} },
  ],
})
