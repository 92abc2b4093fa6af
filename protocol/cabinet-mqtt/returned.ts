import type { Bank, Report } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'
import { optional, u8, u32 } from '../field.ts'
import { bankIdOf, bankOrNull, snOrNone } from './bank.ts'
import { type Make, uplink } from './define.ts'
import { boardOf } from './popup.ts'
import { returnState } from './states.ts'

/** A bank that is in: old firmware accepts one whose switch it did not feel (docs/protocol.md 5.5). */
const accepted = ['returned', 'communication_without_switch']
/** Like 0x83's event 2: something came back, and nobody knows what. */
const eventNobody = 2
const notRead = 255

interface Said {
  hole: number
  sn: number
  state: ReturnType<typeof returnState.named>
}

function meaning({ hole, sn, state }: Said, measured: Partial<Bank>): Report {
  if (hole === 0) throw new MalformedBody('a return into no hole')
  if (!accepted.includes(state))
    return { kind: 'abnormal', event: returnState.code(state), slot: hole, bankId: bankOrNull(sn) }
  if (sn === 0) return { kind: 'abnormal', event: eventNobody, slot: hole, bankId: null }
  return { kind: 'returned', bank: { slot: hole, bankId: bankIdOf(sn), ...measured } }
}

const level = (levelPercent: number) => (levelPercent <= 100 ? { levelPercent } : {})

/** A return in our words as what both frames begin with. */
function spoken(report: Extract<Report, { kind: 'returned' | 'abnormal' }>, { holesPerBoard }: Make) {
  const { slot, bankId } = report.kind === 'returned' ? report.bank : report
  const state = returnState.named(report.kind === 'returned' ? 1 : report.event)
  return { board: boardOf(slot, holesPerBoard), hole: slot, sn: snOrNone(bankId), state }
}

/** docs/protocol.md 5.5, 0x40: 15 bytes, without the level 14, without the version 13. */
export const returned = uplink({
  code: 0x40,
  name: 'return',
  doc:
    'Said unasked when a bank is put in, also when that went wrong; a success is said over HTTP as well. ' +
    'Old firmware leaves out the level, or the version too.',
  kinds: ['returned', 'abnormal'],
  up: {
    board: u8,
    hole: u8,
    area: u8,
    sn: u32,
    state: returnState,
    software: optional(u8),
    levelPercent: optional(u8),
  },
  means: ({ levelPercent = notRead, ...said }) => meaning(said, level(levelPercent)),
  says(report, make) {
    const levelPercent = report.kind === 'returned' ? (report.bank.levelPercent ?? notRead) : notRead
    return {
      ...spoken(report, make),
      area: 4,
      ...(make.returnFrameBytes > 13 && { software: 25 }),
      ...(make.returnFrameBytes > 14 && { levelPercent }),
    }
  },
  examples: [
    {
      frame: 'A8000F40100104058E170801CA5F18',
      body: { board: 16, hole: 1, area: 4, sn: 93198088, state: 'returned', software: 202, levelPercent: 95 },
    },
    {
      frame: 'A8000E40100104058E170801CA78',
      body: { board: 16, hole: 1, area: 4, sn: 93198088, state: 'returned', software: 202 },
    },
    {
      frame: 'A8000D40100104058E17081034',
      body: { board: 16, hole: 1, area: 4, sn: 93198088, state: 'area_code_error' },
    },
  ],
})

/** docs/protocol.md 5.5, 0x28. */
export const selfTest = uplink({
  code: 0x28,
  name: 'return_self_test',
  doc: 'Follows a return whose anti-theft switch failed, within 5 minutes; the states are those of a return.',
  kinds: ['returned', 'abnormal'],
  up: {
    board: u8,
    hole: u8,
    state: returnState,
    reserved1: u8,
    reserved2: u8,
    area: u8,
    sn: u32,
    levelPercent: u8,
    celsius: u8,
    decivolts: u8,
    deciamps: u8,
    software: u8,
    hardware: u8,
  },
  means: (body) =>
    meaning(body, {
      ...level(body.levelPercent),
      ...(body.celsius !== notRead && { celsius: body.celsius }),
      milliamps: body.deciamps * 100,
    }),
  says(report, make) {
    const bank: Partial<Bank> = report.kind === 'returned' ? report.bank : {}
    return {
      ...spoken(report, make),
      reserved1: 0,
      reserved2: 0,
      area: 4,
      levelPercent: bank.levelPercent ?? notRead,
      celsius: bank.celsius ?? notRead,
      decivolts: 0,
      deciamps: Math.round((bank.milliamps ?? 0) / 100),
      software: 25,
      hardware: 15,
    }
  },
  examples: [
    {
      frame: 'A8001528010501000000051149F1641F320104000A',
      body: {
        board: 1,
        hole: 5,
        state: 'returned',
        reserved1: 0,
        reserved2: 0,
        area: 0,
        sn: 85019121,
        levelPercent: 100,
        celsius: 31,
        decivolts: 50,
        deciamps: 1,
        software: 4,
        hardware: 0,
      },
    },
  ],
})
