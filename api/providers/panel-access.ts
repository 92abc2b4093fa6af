import type { Wanted } from '../../db/getpro/panel.ts'
import { done, map, type Reply } from './call.ts'
import type { NewPanelUser, PanelApi, PanelUser } from './panel-api.ts'

/** What everybody is given who is made at the panel. */
export type Newcomers = Pick<NewPanelUser, 'tag' | 'squads' | 'devicesMax'>

/** How the panel has somebody now. */
export interface Standing {
  /** Null: not at all. */
  user: PanelUser | null
  /** It was we who switched them off. */
  isOff: boolean
}

/** So far may the panel's end and ours lie apart. */
const sameMs = 60_000

/** Their name there: nobody else's, and the same however often they are made. */
const usernameOf = ({ telegramId }: Wanted) => `tg_${telegramId}`

/** Whom the panel has: by what it was known by, by our name for them, or by their Telegram account where that is one user's. */
async function find(panel: PanelApi, wanted: Wanted): Promise<Reply<PanelUser | null>> {
  const { panelUserId, telegramId } = wanted
  const known = panelUserId !== null && panel.isKey(panelUserId) ? await panel.user(panelUserId) : done(null)
  if (known.kind !== 'done' || known.value) return known
  const named = await panel.byUsername(usernameOf(wanted))
  if (named.kind !== 'done' || named.value) return named
  return map(await panel.byTelegram(telegramId), (users) => done(users.length === 1 ? users[0]! : null))
}

/** Until when; and on again, if it was we who switched them off. */
async function open(panel: PanelApi, user: PanelUser, wanted: Wanted): Promise<Reply<Standing>> {
  const { endsAt, isPanelOff, trafficLimitBytes } = wanted
  const set = await panel.setEnd(user.key, endsAt, trafficLimitBytes)
  if (set.kind !== 'done') return set
  const isToSwitch = isPanelOff && set.value.status === 'DISABLED'
  const now = isToSwitch ? await panel.switch(user.key, true) : set
  return map(now, (value) => done({ user: value, isOff: false }))
}

/** Off, unless the panel ends it by itself at the same moment. */
async function close(panel: PanelApi, user: PanelUser, { endsAt, isPanelOff }: Wanted): Promise<Reply<Standing>> {
  const isOver = user.expiresAt.getTime() - endsAt.getTime() <= sameMs || user.status === 'EXPIRED'
  if (isOver || user.status === 'DISABLED') return done({ user, isOff: isPanelOff && user.status === 'DISABLED' })
  return map(await panel.switch(user.key, false), (value) => done({ user: value, isOff: true }))
}

/**
 * Brings the panel to how an account is to stand. Said again it changes nothing: ends are set, and whoever is to be made is looked
 * for first, so that an answer that was lost makes nobody twice.
 */
export async function bring(panel: PanelApi, newcomers: Newcomers, wanted: Wanted): Promise<Reply<Standing>> {
  const found = await find(panel, wanted)
  if (found.kind !== 'done') return found
  const user = found.value
  if (!wanted.isLive) return user ? await close(panel, user, wanted) : done({ user: null, isOff: false })
  if (user) return await open(panel, user, wanted)
  const made = await panel.create({
    ...newcomers,
    username: usernameOf(wanted),
    expiresAt: wanted.endsAt,
    telegramId: wanted.telegramId,
    description: `2GETPRO ${wanted.accountId}`,
    trafficLimitBytes: wanted.trafficLimitBytes ?? 0,
  })
  return map(made, (value) => done({ user: value, isOff: false }))
}
