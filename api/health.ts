import { z } from '@hono/zod-openapi'
import { type Backlog, backlog } from '../db/messages/backlog.ts'
import { within } from '../db/platform/patience.ts'
import { echoes } from '../db/postgres/echo.ts'
import type { ApiConfig } from './config.ts'
import type { AppContext } from './context.ts'

/** A frozen database must be told within five seconds (docs/contracts.md 2); a busy machine may need one or two for a working one. */
const deadlineMs = 3_500
/** Work that has been due for so long is late: nobody does it, or not fast enough. */
const lateSeconds = 300

const State = z.enum(['ok', 'late', 'error'])
type State = z.infer<typeof State>
const Provider = z.enum(['on', 'off'])

/** How this process is, for whoever watches it: no secret, no address, no number of anybody. */
export const Health = z
  .object({
    status: z.enum(['healthy', 'unhealthy']),
    services: z.object({
      database: State.openapi({ description: 'база данных отвечает' }),
      redis: State.openapi({ description: 'уведомления между процессами доходят (вместо Redis: LISTEN/NOTIFY)' }),
      bot: State.openapi({ description: 'худшее из inbox и outbox: то, что в документе делает бот' }),
      inbox: State.openapi({ description: 'входящие события; late: самое старое ждёт обработки дольше пяти минут' }),
      outbox: State.openapi({ description: 'исходящие сообщения; late: то же' }),
    }),
    providers: z.record(z.string(), Provider).openapi({ description: 'чьи webhook принимаются: настроены их секреты' }),
    timestamp: z.string(),
  })
  .openapi('Health')

/** Whose webhook events are heard: nothing of it is secret. */
function heard({ providers: { onec, bitrix, notices } }: ApiConfig): Record<string, 'on' | 'off'> {
  const { bodyBytesMax: _bytes, limit: _limit, ...payments } = notices
  const all = { onec, bitrix24: bitrix, ...payments }
  return Object.fromEntries(Object.entries(all).map(([name, settings]) => [name, settings ? 'on' : 'off']))
}

const stateOf = (trouble: unknown, isLate = false): State => (trouble !== null ? 'error' : isLate ? 'late' : 'ok')
const worst = (one: State, other: State): State => (one === 'ok' ? other : one)

/** Null: it was done in time; else why not. */
const trouble = (work: Promise<boolean>): Promise<unknown> =>
  work.then(
    (isDone) => (isDone ? null : new Error('no answer in time')),
    (error: unknown) => error,
  )

/**
 * What `/health` tells. Whoever asks while it is being found out hears the same: however often it is asked, and whatever is
 * frozen, one look is under way.
 */
export function healthOf({ db, config, log }: AppContext): () => Promise<z.infer<typeof Health>> {
  const echo = echoes(db)
  const providers = heard(config)
  let looking: Promise<z.infer<typeof Health>> | undefined

  async function look(): Promise<z.infer<typeof Health>> {
    let due: Backlog | undefined
    const read = async () => void (due = await backlog(db.sql))
    const [database, bells, queues] = await Promise.all([
      trouble(within(deadlineMs, db.ping())),
      trouble(echo(deadlineMs)),
      trouble(within(deadlineMs, read())),
    ])
    const lateness = (seconds: number | undefined): State => stateOf(queues, seconds! > lateSeconds)
    const [inbox, outbox] = [lateness(due?.inboxSeconds), lateness(due?.outboxSeconds)]
    const services = { database: stateOf(database), redis: stateOf(bells), bot: worst(inbox, outbox), inbox, outbox }
    const error = database ?? bells ?? queues
    if (error !== null) log('health.failed', { ...services, error })
    // What is late is late for all processes, and no restart of this one would mend it.
    return {
      status: error === null ? 'healthy' : 'unhealthy',
      services,
      providers,
      timestamp: new Date().toISOString(),
    }
  }

  return () => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }
}
