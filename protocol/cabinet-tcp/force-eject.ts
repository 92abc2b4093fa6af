import { command } from '../define.ts'
import { optional, rest } from '../field.ts'
import { ejectA, outcome, outcomeOf, slotNumber } from './eject.ts'

/** docs/protocol.md 3, 0x80. */
export const forceEject = command({
  code: 0x80,
  name: 'force_eject',
  kind: 'force_eject',
  doc:
    'Open one slot whoever rented what. Several may wait in the cabinet; it answers them in order. Bytes behind the ' +
    'answer, as TCP-B has them in 0x65, are taken and not looked at.',
  down: { slot: slotNumber },
  from: ({ slot }) => ({ slot }),
  asks: ({ slot }) => ({ kind: 'force_eject', slot }),
  up: { ...outcome, unnamed: optional(rest) },
  means: ({ unnamed: _, ...body }) => ({ kind: 'force_eject', ...outcomeOf(body) }),
  says: (report) => ejectA.says({ ...report, kind: 'eject' }),
  examples: [
    { down: '01', body: { slot: 1 } },
    { up: '02014443484154000015', body: { slot: 2, result: 'ejected', bankId: '4443484154000015' } },
    {
      up: '02014443484154000015010000',
      body: { slot: 2, result: 'ejected', bankId: '4443484154000015', unnamed: '010000' },
    },
  ],
})
