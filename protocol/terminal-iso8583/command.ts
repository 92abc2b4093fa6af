import { MalformedBody } from '../errors.ts'
import { type Command, commandKinds } from '../terminal.ts'
import { command, spoken } from './define.ts'
import { de, may } from './layout.ts'

function dataOf(text: string): Record<string, unknown> {
  try {
    const data: unknown = JSON.parse(text)
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new MalformedBody('field 61 is no JSON object')
}

/** docs/protocol.md 7.5, 0600. */
export const told = command({
  mti: 0x0600,
  name: 'Administrative message',
  doc:
    'A command: its type in 60, its data in 61 as a JSON object. The STAN is the host’s and the answer repeats it. 00 in the answer ' +
    'is done, anything else failed; 61 says more, as text or JSON.',
  kinds: ['result'],
  down: { ...spoken, type: de(60), data: de(61) },
  up: { ...spoken, code: de(39), text: may(de(61)) },
  from: ({ kind, stan, data = {} }, sentAt, terminalCode) => ({
    ...{ sentAt, stan, terminalCode },
    ...{ type: kind, data: JSON.stringify(data) },
  }),
  asks({ stan, type, data }) {
    const kind = commandKinds.find((known) => known === type)
    if (!kind) throw new MalformedBody('an unknown command')
    return { kind, stan, data: dataOf(data) } satisfies Command
  },
  means: ({ terminalCode, ...said }) => ({ kind: 'result', ...said }),
  says: ({ kind, ...said }, terminalCode) => ({ ...said, terminalCode }),
  examples: [
    {
      command: { kind: 'set_volume', stan: '000101', data: { volume: 40 } },
      down: '060002200000008000191128204000000101543030303030303100107365745F766F6C756D6500137B22766F6C756D65223A34307DD0FD8F81B2660593',
      says: { kind: 'result', stan: '000101', sentAt: '1128204001', code: '00' },
      up: '061002200000028000011128204001000101303054303030303030312C49DC041FB1CDA7',
    },
    {
      command: { kind: 'payment', stan: '000102', data: { message: 'Спасибо' }, isRepeat: true },
      down: '060102200000008000191128204000000102543030303030303100077061796D656E7400287B226D657373616765223A22D0A1D0BFD0B0D181D0B8D0B1D0BE227D3CA7BBA02F5D414F',
      says: { kind: 'result', stan: '000102', sentAt: '1128204001', code: '96', text: 'нет бумаги' },
      up: '061002200000028000091128204001000102393654303030303030310019D0BDD0B5D18220D0B1D183D0BCD0B0D0B3D0B8977F633E386F5BF9',
    },
  ],
})
