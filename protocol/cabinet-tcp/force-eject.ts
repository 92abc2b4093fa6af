import { command } from '../define.ts'
import { ejectA, outcome, outcomeOf, slotNumber } from './eject.ts'

/** docs/protocol.md 3, 0x80. */
export const forceEject = command({
  code: 0x80,
  name: 'force_eject',
  kind: 'force_eject',
  doc: 'Open one slot whoever rented what. Several may wait in the cabinet; it answers them in order.',
  down: { slot: slotNumber },
  from: ({ slot }) => ({ slot }),
  asks: ({ slot }) => ({ kind: 'force_eject', slot }),
  up: outcome,
  means: (body) => ({ kind: 'force_eject', ...outcomeOf(body) }),
  says: (report) => ejectA.says({ ...report, kind: 'eject' }),
  examples: [
    { down: '01', body: { slot: 1 } },
    { up: '02014443484154000015', body: { slot: 2, result: 'ejected', bankId: '4443484154000015' } },
  ],
})
