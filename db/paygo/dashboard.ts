import type { Queryable } from '../postgres/connect.ts'
import { isMember } from './people.ts'
import { countByStatus, type Takings, type TerminalStatus, takingsOfAll } from './terminals-list.ts'

const recentDays = 30

/** The business at a glance (docs/contracts.md 1.6). Amounts in minor units. */
export interface Dashboard extends Takings {
  totalUsers: number
  totalTerminals: number
  recentTransactions: number
  recentMinor: number
  terminalStatus: Record<TerminalStatus, number>
}

export async function dashboard(q: Queryable): Promise<Dashboard> {
  const [[people], terminalStatus, takings] = await Promise.all([
    q<{ total: number }[]>`select count(*) as total from users u where u.status = 'active' and ${isMember(q)}`,
    countByStatus(q),
    takingsOfAll(q, recentDays),
  ])
  const totalTerminals = Object.values(terminalStatus).reduce((sum, count) => sum + count, 0)
  return { ...takings, totalUsers: people!.total, totalTerminals, terminalStatus }
}

/** What waits for people, and what is later than it should be. */
export interface Backlog {
  /** What the acquirer was told and did not answer, longer ago than anybody asks. */
  overdue: number
  /** Where money and books may differ. */
  exceptions: number
}

const overdueMinutes = 5

export async function backlog(q: Queryable): Promise<Backlog> {
  const [row] = await q<Backlog[]>`
    select (select count(*) from acquirer_acts where due_at < now() - make_interval(mins => ${overdueMinutes})) as overdue,
      (select count(*) from payment_exceptions where resolved_at is null) as exceptions`
  return row!
}
