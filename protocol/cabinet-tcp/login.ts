import { report } from '../define.ts'
import { MalformedBody } from '../errors.ts'
import { oneOf, optional, records, text, u8, u16, u16Is, u32 } from '../field.ts'
import { bankB, recordB, recordsOf, slotB, slotsOf } from './slot.ts'

/** The magic that says TCP-B; anything else of A's shape is TCP-A (docs/protocol.md 0x60). */
export const magicB = 0xa0a0
const magicA = 0x0233

/** Seen: 16 characters. It becomes a database key and a log field, so what cannot be one is refused at the door. */
const boxIdLengthMax = 64
const printable = /^[\x21-\x7e]+$/

function boxIdOf(boxId: string): string {
  if (boxId.length > boxIdLengthMax || !printable.test(boxId)) throw new MalformedBody('a box id that cannot be one')
  return boxId
}

const result = oneOf({ refused: 0, accepted: 1 })

/** docs/protocol.md 3, 0x60. */
export const loginA = report({
  code: 0x60,
  name: 'login',
  kind: 'login',
  doc: 'First frame of every connection; the magic names the dialect. Result 0 is followed by a close.',
  up: { nonce: u32, magic: u16, boxId: text, registerData: optional(text) },
  means: ({ boxId }) => ({ kind: 'login', boxId: boxIdOf(boxId) }),
  says: ({ boxId }, { bootMilliseconds = 0 }) => ({ nonce: bootMilliseconds, magic: magicA, boxId }),
  down: { result },
  ack: (_, verdict) => (verdict.kind === 'silent' ? null : { result: verdict.kind }),
  heard: (body) => ({ kind: 'acknowledged', report: 'login', result: result.code(body.result) }),
  examples: [
    {
      up: '5566778802330011524C334830383230303736383031323100',
      body: { nonce: 0x55667788, magic: 0x0233, boxId: 'RL3H082007680121' },
    },
    { down: '01', body: { result: 'accepted' } },
  ],
})

/** TCP-B has no public refusal: the server says nothing and closes. */
export const loginB = report({
  ...loginA,
  doc:
    'First frame of every connection. The nonce is milliseconds since power-up; the time is the one handed out in the ' +
    'previous answer, never a clock. Records list occupied slots only. A stranger gets no answer.',
  up: { nonce: u32, magic: u16Is(magicB), boxId: text, unixSeconds: u32, slots: u8, banks: records(slotB) },
  means: ({ boxId, slots, banks }) => ({ kind: 'login', boxId: boxIdOf(boxId), slots, ...slotsOf(banks, bankB) }),
  says: ({ boxId, slots = 0, ...report }, { bootMilliseconds = 0, unixSeconds = 0 }) => ({
    nonce: bootMilliseconds,
    magic: magicB,
    boxId,
    unixSeconds,
    slots,
    banks: recordsOf(report, recordB),
  }),
  down: { result, nonce: u32, unixSeconds: u32 },
  ack: (_, verdict, { nonce, unixSeconds }) =>
    verdict.kind === 'accepted' ? { result: 'accepted' as const, nonce, unixSeconds } : null,
  heard: ({ nonce, unixSeconds, ...body }) => ({
    kind: 'acknowledged',
    report: 'login',
    result: result.code(body.result),
    nonce,
    unixSeconds,
  }),
  examples: [
    {
      up: '0346DB78A0A00011444348455930323530343030303031380068F8E1560400',
      body: {
        nonce: 54975352,
        magic: 0xa0a0,
        boxId: 'DCHEY02504000018',
        unixSeconds: 1761141078,
        slots: 4,
        banks: [],
      },
    },
    { down: '010000002A68F8E156', body: { result: 'accepted', nonce: 42, unixSeconds: 1761141078 } },
  ],
})
