import * as panels from '../../db/getpro/panel.ts'
import * as panelTasks from '../../db/getpro/panel-tasks.ts'
import type { Log } from '../../db/platform/log.ts'
import { PANEL_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { Reply } from '../providers/call.ts'
import { bring, type Newcomers, type Standing } from '../providers/panel-access.ts'
import type { PanelApi } from '../providers/panel-api.ts'
import { startRounds } from './rounds.ts'

const TASKS_AT_ONCE = 5
/** One task asks the panel so often at most, and has a little time of its own. */
const CALLS_MAX = 6
const SPARE_SECONDS = 30
/** What the panel says to us, not to this task: a wrong key, somebody who vanished between two calls, too much at once. */
const passing = new Set([401, 403, 404, 409, 429])

export interface PanelOptions {
  db: Db
  log: Log
  panel: PanelApi
  newcomers: Newcomers
  timeoutSeconds: number
}

/** What a reply that is not `done` means for its task. */
const failureOf = (reply: Exclude<Reply<unknown>, { kind: 'done' }>): panelTasks.Failure => ({
  why: reply.kind === 'refused' ? `refused ${reply.status} ${reply.code}: ${reply.why}` : reply.why,
  isFinal: reply.kind === 'refused' && !passing.has(reply.status),
  ...(reply.kind === 'later' && { seconds: reply.seconds }),
})

/**
 * Tells the panel how accounts stand. Any number of processes may: each task is one worker's, nothing waits for the panel within
 * a transaction, and what may have been told is told again, which changes nothing.
 */
export async function startPanel(options: PanelOptions): Promise<{ close(): Promise<void> }> {
  const { db, log, panel, newcomers, timeoutSeconds } = options
  const leaseSeconds = CALLS_MAX * timeoutSeconds + SPARE_SECONDS

  async function work(task: panelTasks.Claimed): Promise<void> {
    const wanted = await panels.wanted(db.sql, task.accountId)
    const nobody: Reply<Standing> = { kind: 'done', value: { user: null, isOff: false } }
    const reply = wanted ? await bring(panel, newcomers, wanted) : nobody
    const about = { taskId: task.id, accountId: task.accountId, attempts: task.attempts }
    if (reply.kind !== 'done') {
      const failure = failureOf(reply)
      const isGivenUp = await db.transaction((tx) => panelTasks.fail(tx, task, failure))
      log(isGivenUp ? 'panel.given_up' : 'panel.postponed', { ...about, reason: failure.why })
      return
    }
    const { user, isOff } = reply.value
    await db.transaction(async (tx) => {
      await panels.keep(tx, task.accountId, { panelUserId: user?.key ?? null, status: user?.status ?? null }, isOff)
      await panelTasks.finish(tx, task)
    })
    log('panel.told', about)
  }

  return await startRounds({
    db,
    bell: PANEL_CHANNEL,
    async round(isClosed) {
      for (;;) {
        const tasks = await panelTasks.claim(db.sql, TASKS_AT_ONCE, leaseSeconds)
        if (tasks.length === 0 || isClosed()) return
        // A failure of ours leaves the task with this worker until its lease is over; then it is due again.
        const failed = (taskId: number) => (error: unknown) => log('panel.failed', { taskId, error })
        await Promise.all(tasks.map((task) => work(task).catch(failed(task.id))))
      }
    },
    failed: (error) => log('panel.failed', { error }),
  })
}
