import type { When } from '../any-device.ts'
import { u8, u32 } from '../field.ts'
import { bankIdOf, bankOrNull, snMax, snOf, snOrNone } from './bank.ts'
import { request, uplink } from './define.ts'
import { decimal, maybe } from './json.ts'
import { popupState } from './states.ts'

/** When it was said and for how long it holds: firmware that looks drops what is older, other firmware obeys (5.4). */
const when = {
  unixSeconds: maybe(decimal('timestamp', 0, 0xffffffff)),
  ttlSeconds: maybe(decimal('ttl', 0, 0xffffffff)),
}

const spoken = (when?: When) => (when ? { unixSeconds: when.unixSeconds, ttlSeconds: when.ttlSeconds } : {})

/** docs/protocol.md 5.4. */
export const popupSn = request({
  cmd: 'popup_sn',
  doc:
    'Eject the bank with this serial number. Not idempotent: never sent twice. Some firmware ignores timestamp and ttl ' +
    'and ejects hours later.',
  kind: 'eject',
  members: { sn: decimal('data', 1, snMax), ...when },
  answer: 0x31,
  qos: 0,
  from: ({ bankId = '' }, when) => ({ sn: snOf(bankId), ...spoken(when) }),
  // The wire does not say the hole: 0 is that.
  asks: ({ sn }) => ({ kind: 'eject', slot: 0, bankId: bankIdOf(sn) }),
  examples: [
    { json: '{"cmd":"popup_sn","data":"10211856"}', words: { sn: 10211856 } },
    {
      json: '{"cmd":"popup_sn","data":"10211856","timestamp":"1759941810","ttl":"30"}',
      words: { sn: 10211856, unixSeconds: 1759941810, ttlSeconds: 30 },
    },
  ],
})

/** docs/protocol.md 5.4. */
export const popup = request({
  cmd: 'popup',
  doc: 'Open one hole (documented for 1–80) whoever rented what; io is the port of the main board. Not idempotent.',
  kind: 'force_eject',
  members: { hole: decimal('data', 1, 255), io: decimal('io', 0, 1), ...when },
  answer: 0x21,
  qos: 0,
  from: ({ slot }, when) => ({ hole: slot, io: 0, ...spoken(when) }),
  asks: ({ hole }) => ({ kind: 'force_eject', slot: hole }),
  examples: [
    { json: '{"cmd":"popup","data":"16","io":"0"}', words: { hole: 16, io: 0 } },
    {
      json: '{"cmd":"popup","data":"16","io":"0","timestamp":"1759941810","ttl":"30"}',
      words: { hole: 16, io: 0, unixSeconds: 1759941810, ttlSeconds: 30 },
    },
  ],
})

/** The control board of a hole, as a simulated cabinet numbers them. */
export const boardOf = (slot: number, holesPerBoard: number) => Math.ceil(slot / holesPerBoard)

const outcome = (state: ReturnType<typeof popupState.named>) => ({
  ok: state === 'ejected',
  result: popupState.code(state),
  ...(state === 'ttl_exceeded' && { isTooOld: true as const }),
})

/** docs/protocol.md 5.5, 0x31. */
export const poppedSn = uplink({
  code: 0x31,
  name: 'popup_sn_result',
  doc:
    'The answer to popup_sn. Old firmware says the control board where the hole should be. Only `ejected` is success; ' +
    'only an inventory proves that a bank stayed.',
  kinds: ['eject'],
  up: { hole: u8, sn: u32, state: popupState, reserved: u8 },
  means: ({ hole, sn, state }, firmware) => ({
    kind: 'eject',
    slot: firmware === 'old' ? 0 : hole,
    bankId: bankOrNull(sn),
    ...outcome(state),
  }),
  says: ({ slot, bankId, result }, { firmware, holesPerBoard }) => ({
    hole: firmware === 'old' ? boardOf(slot, holesPerBoard) : slot,
    sn: snOrNone(bankId),
    state: popupState.named(result),
    reserved: 0,
  }),
  examples: [
    { frame: 'A8000C3101026ED580010252', body: { hole: 1, sn: 40818048, state: 'ejected', reserved: 2 } },
    { frame: 'A8000C310000000000FC001F', body: { hole: 0, sn: 0, state: 'sn_not_found', reserved: 0 } },
    { frame: 'A8000C3103026ED58007004C', body: { hole: 3, sn: 40818048, state: 'code7', reserved: 0 } },
  ],
})

/** docs/protocol.md 5.5, 0x21. */
export const popped = uplink({
  code: 0x21,
  name: 'popup_result',
  doc: 'The answer to popup. Only `ejected` is success; only an inventory proves that a bank stayed.',
  kinds: ['force_eject'],
  up: { board: u8, hole: u8, state: popupState, reserved: u8 },
  means: ({ hole, state }) => ({ kind: 'force_eject', slot: hole, bankId: null, ...outcome(state) }),
  says: ({ slot, result }, { holesPerBoard }) => ({
    board: boardOf(slot, holesPerBoard),
    hole: slot,
    state: popupState.named(result),
    reserved: 0,
  }),
  examples: [{ frame: 'A8000921100101021A', body: { board: 16, hole: 1, state: 'ejected', reserved: 2 } }],
})
