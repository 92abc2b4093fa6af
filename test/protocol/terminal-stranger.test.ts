import { expect, test } from 'vitest'
import type { Verdict } from '../../protocol/terminal.ts'
import { greet, newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { cardKey, entropy, key, pan, terminalCode } from './terminal-stage.ts'
import { frameOf, readFrame } from './terminal-stranger.ts'

const tpdu = '6000010002'
const base = { 7: '1128203107', 41: terminalCode }
const purchase = {
  ...{
    ...base,
    2: pan,
    3: '000000',
    4: '15000',
    11: '000002',
    12: '233107',
    13: '1128',
    14: '2912',
    22: '011',
    25: '00',
  },
  ...{ 42: 'VOLTBAY', 49: '643' },
}
const said: [string, Record<number, string>, object, Verdict, object][] = [
  [
    '0800',
    { ...base, 11: '000001', 70: '001' },
    { kind: 'login', terminalCode },
    { kind: 'accepted' },
    { 0: '0810', 39: '00', 70: '001' },
  ],
  [
    '0200',
    purchase,
    {
      kind: 'purchase',
      amountMinor: 15_000,
      card: { masked: '424242******4242', expiry: '2912' },
      merchant: 'VOLTBAY',
    },
    { kind: 'answered', code: '00', rrn: '633320000002', approval: 'A1B2C3' },
    {
      0: '0210',
      4: '000000015000',
      11: '000002',
      37: '633320000002',
      38: 'A1B2C3',
      39: '00',
      42: 'VOLTBAY',
      49: '643',
    },
  ],
  [
    '0401',
    { ...base, 4: '15000', 11: '000003', 39: '68', 90: `02000000021128203107${'0'.repeat(22)}` },
    { kind: 'reversal', reason: '68', isRepeat: true, original: { mti: '0200', stan: '000002', sentAt: '1128203107' } },
    { kind: 'accepted' },
    { 0: '0410', 11: '000003', 39: '00' },
  ],
]

test.each(['', tpdu])(
  'a terminal written from the documentation signs on, buys and reverses, routed by "%s"',
  (route) => {
    const framer = newFramer()
    const frames = said.map(([mti, fields]) => frameOf(key, mti, fields, route))
    const [login] = frames
    const codec = greet(Buffer.from(login!)).codec({ keys: [key], cardKey })
    const heard = [...framer.push(Buffer.concat(frames))]
    expect(heard).toHaveLength(said.length)
    for (const [at, frame] of heard.entries()) {
      const [, , words, verdict, fields] = said[at]!
      expect(codec.decode(frame)).toMatchObject(words)
      const answer = codec.answer(frame, verdict, entropy)!
      expect(readFrame(key, answer)).toMatchObject({ isSigned: true, fields })
      expect(answer.toString('hex', 2, 7) === '6000020001').toBe(route !== '')
    }
  },
)
