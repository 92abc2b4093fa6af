import { tail, u8 } from '../field.ts'
import { uplink } from './define.ts'

/** docs/protocol.md 5.5, 5.6, 0x7A. */
export const heart = uplink({
  code: 0x7a,
  name: 'heart',
  doc:
    'Every 9 minutes on the heart topic; the cabinet expects the same bytes back there, and reboots after two unanswered. ' +
    'CSQ is the signal, 0–31, 99 for none; BP the backup power, of which only 0 was seen.',
  kinds: ['heartbeat'],
  up: { board: u8, status: tail },
  means: () => ({ kind: 'heartbeat' }),
  says: () => ({ board: 0x10, status: 'CSQ:27;BP:0' }),
  examples: [{ frame: 'A800117A104353513A32373B42503A30FC', body: { board: 16, status: 'CSQ:27;BP:0' } }],
})
