import { Refused } from '../devices/refused.ts'
import { enqueue } from '../paygo/terminal-commands.ts'
import type { Tx } from '../postgres/connect.ts'

/**
 * A terminal shows its customer what came of the deposit (docs/protocol.md 7.5, `payment`). Nothing depends on it: one that is
 * away is not told later.
 */
export async function show(tx: Tx, terminalId: number, message: string): Promise<void> {
  try {
    await enqueue(tx, null, { terminalId, type: 'payment', data: { message } })
  } catch (error) {
    // Too many wait already, or it is no longer there.
    if (!(error instanceof Refused)) throw error
  }
}

/** What it shows. */
export const notices = {
  lent: (slot: number | null) => `Возьмите аккумулятор${slot === null ? '' : ` из ячейки ${slot}`}`,
  notLent: 'Аккумулятор не выдан, залог возвращается',
}
