import { command } from '../define.ts'
import { oneOf, optional, text, u8 } from '../field.ts'

const valid = oneOf({ valid: 0, invalid: 1 })
const spoken = (yes: boolean) => (yes ? ('valid' as const) : ('invalid' as const))

/** One source only (docs/protocol.md 0x74); user and password are presumed, so they may be missing. */
export const apn = command({
  code: 0x74,
  name: 'query_apn',
  kind: 'apn',
  doc: 'One access point: operator is MCC and MNC. One source, low confidence; never seen on the wire.',
  down: { index: u8 },
  from: ({ index }) => ({ index }),
  asks: ({ index }) => ({ kind: 'apn', index }),
  up: { index: u8, valid, operator: text, apn: text, user: optional(text), password: optional(text) },
  means: (body) => ({ ...body, kind: 'apn', valid: body.valid === 'valid' }),
  says: ({ kind, ...report }) => ({ ...report, valid: spoken(report.valid) }),
  examples: [
    { down: '00', body: { index: 0 } },
    {
      up: '000000063235303031000009696E7465726E657400',
      body: { index: 0, valid: 'valid', operator: '25001', apn: 'internet' },
    },
  ],
})

/** docs/protocol.md 3, 0x73. */
export const setApn = command({
  code: 0x73,
  name: 'set_apn',
  kind: 'set_apn',
  doc: 'Set one access point. One source, low confidence; never seen on the wire.',
  down: { index: u8, valid, operator: text, apn: text, user: text, password: text },
  from: ({ kind, ...command }) => ({ ...command, valid: spoken(command.valid) }),
  asks: (body) => ({ ...body, kind: 'set_apn', valid: body.valid === 'valid' }),
  up: { result: oneOf({ failed: 0, done: 1 }) },
  means: ({ result }) => ({ kind: 'set_apn', ok: result === 'done' }),
  says: ({ ok }) => ({ result: ok ? ('done' as const) : ('failed' as const) }),
  examples: [
    {
      down: '01000006323530303100000961706E2E6C697665000002610000026200',
      body: { index: 1, valid: 'valid', operator: '25001', apn: 'apn.live', user: 'a', password: 'b' },
    },
    { up: '01', body: { result: 'done' } },
  ],
})
