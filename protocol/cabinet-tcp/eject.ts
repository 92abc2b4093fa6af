import { command } from '../define.ts'
import { type Body, hex, oneOf, optional, rest, u8 } from '../field.ts'
import { bankOrNull, noBank } from './slot.ts'

const result = oneOf({ failed: 0, ejected: 1 })

/** What the device says of a movement, in 0x65 and 0x80 alike. */
export const outcome = { slot: u8, result, bankId: hex(8) }

/** The same in our words; the raw result stays beside `ok`. */
export const outcomeOf = ({ slot, bankId, ...body }: Body<typeof outcome>) => ({
  slot,
  bankId: bankOrNull(bankId),
  ok: body.result === 'ejected',
  result: result.code(body.result),
})

/** 1-based (docs/protocol.md 2.6); a cabinet that lists a slot 0 has one. */
export const slotNumber = u8

/** docs/protocol.md 3, 0x65. */
export const ejectA = command({
  code: 0x65,
  name: 'borrow',
  kind: 'eject',
  doc: 'Unlock one slot for a customer. Not idempotent: never sent twice; only an inventory proves that a bank stayed.',
  down: { slot: slotNumber },
  from: ({ slot }) => ({ slot }),
  asks: ({ slot }) => ({ kind: 'eject', slot }),
  up: outcome,
  means: (body) => ({ kind: 'eject', ...outcomeOf(body) }),
  says: (report) => ({ slot: report.slot, result: result.named(report.result), bankId: report.bankId ?? noBank }),
  examples: [
    { down: '03', body: { slot: 3 } },
    { up: '0301524C31417C000064', body: { slot: 3, result: 'ejected', bankId: '524C31417C000064' } },
    { up: '0307524C31417C000064', body: { slot: 3, result: 'code7', bankId: '524C31417C000064' } },
  ],
})

/** TCP-B says three bytes more; the last has no name and nobody has seen it other than 0. Taken without them too. */
export const ejectB = command({
  ...ejectA,
  up: { ...outcome, lock: optional(u8), adjacentLock: optional(u8), unnamed: optional(rest) },
  says: (report) => ({ ...ejectA.says(report), lock: 1, adjacentLock: 0, unnamed: '00' }),
  examples: [
    {
      up: '03014443484154000019010000',
      body: { slot: 3, result: 'ejected', bankId: '4443484154000019', lock: 1, adjacentLock: 0, unnamed: '00' },
    },
  ],
})
