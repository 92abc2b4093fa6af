import { z } from 'zod'
import { type Access, type Answer, type Call, caller, done, doubtful, later, map, type Reply, refusal } from './call.ts'

export interface PanelAccess extends Access {
  apiKey: string
  /** 2 names a user by uuid, 3 by number; the paths differ with it (docs/providers.md 6). */
  version: '2' | '3'
}

/** Who may use the service, as the panel knows them. */
export interface PanelUser {
  /** The panel's name for them: a number, or in version 2 a uuid. */
  key: string
  username: string
  status: 'ACTIVE' | 'DISABLED' | 'LIMITED' | 'EXPIRED'
  expiresAt: Date
  telegramId: number | null
  /** Opens the service: for its owner's eyes only. */
  subscriptionUrl: string
}

/** Somebody new. Their name is unique there: made twice they are refused, and found by `byUsername`. */
export interface NewPanelUser {
  username: string
  expiresAt: Date
  telegramId: number | null
  description: string
  tag: string | null
  /** In bytes; 0: none. */
  trafficLimitBytes: number
  /** Most devices; null: the panel's own limit. */
  devicesMax: number | null
  /** Ids of internal squads. */
  squads: string[]
}

const usernamePattern = /^[\w-]{3,36}$/
const tagPattern = /^[A-Z0-9_]{1,16}$/
const keyPattern = /^[\w-]{1,64}$/

/** BigInts came as texts from panels before 2.3. */
const number = z.union([z.number(), z.string().regex(/^\d{1,15}$/)]).transform(Number)
const User = z
  .object({
    id: number.nullish(),
    uuid: z.string().nullish(),
    username: z.string(),
    status: z.enum(['ACTIVE', 'DISABLED', 'LIMITED', 'EXPIRED']),
    expireAt: z.string(),
    telegramId: number.nullish(),
    subscriptionUrl: z.string(),
  })
  .transform((said, context): PanelUser & { id: number | null; uuid: string | null } => {
    const expiresAt = new Date(said.expireAt)
    if (Number.isNaN(expiresAt.getTime())) context.addIssue({ code: 'custom', message: 'no date' })
    const { id = null, uuid = null, username, status, telegramId = null, subscriptionUrl } = said
    return { id, uuid, key: '', username, status, expiresAt, telegramId, subscriptionUrl }
  })
const Mistake = z.object({ message: z.unknown(), errorCode: z.string().nullish() })

const reading =
  <T>(shape: z.ZodType<T>) =>
  ({ status, body }: Answer): Reply<T> | null => {
    if (status < 300) {
      const { data } = z.object({ response: shape }).safeParse(body)
      return data === undefined ? null : done(data.response as T)
    }
    const { data } = Mistake.safeParse(body)
    if (!data) return null
    const why = typeof data.message === 'string' ? data.message : JSON.stringify(data.message)
    return status === 429 ? later(why) : refusal(status, data.errorCode ?? String(status), why)
  }

/** Nobody of that name is an answer, no refusal. A path that is not there has no code of the panel's. */
const isNobody = (reply: Reply<unknown>) =>
  reply.kind === 'refused' && reply.status === 404 && /^[A-Z]\d+$/.test(reply.code)
const orNobody = <T>(reply: Reply<T>): Reply<T | null> => (isNobody(reply) ? done(null) : reply)

/** How versions differ. */
interface Dialect {
  /** What a user's name looks like there. */
  key: RegExp
  /** The version's own name for a user; null: it told none. */
  keyOf(user: { id: number | null; uuid: string | null }): string | null
  /** That name in a change. */
  named(key: string): object
  byTelegram(telegramId: number): string
}
const dialects: Record<PanelAccess['version'], Dialect> = {
  2: {
    key: /^[0-9a-f-]{36}$/,
    keyOf: ({ uuid }) => uuid,
    named: (key) => ({ uuid: key }),
    byTelegram: (telegramId) => `/api/users/by-telegram-id/${telegramId}`,
  },
  3: {
    key: /^\d{1,15}$/,
    keyOf: ({ id }) => (id === null ? null : String(id)),
    named: (key) => ({ id: Number(key) }),
    byTelegram: (telegramId) => `/api/users/stream?telegramId=${telegramId}`,
  },
}
const Many = z.union([z.array(User), z.object({ users: z.array(User) }).transform(({ users }) => users)])

function wordsOf({ username, tag, expiresAt, squads, devicesMax, ...user }: NewPanelUser) {
  if (!usernamePattern.test(username)) throw new RangeError('a username has 3 to 36 of A-Z a-z 0-9 _ -')
  if (tag !== null && !tagPattern.test(tag)) throw new RangeError('a tag has up to 16 of A-Z 0-9 _')
  return {
    ...user,
    username,
    expireAt: expiresAt.toISOString(),
    activeInternalSquads: squads,
    ...(tag && { tag }),
    ...(devicesMax !== null && { hwidDeviceLimit: devicesMax }),
  }
}

const termOf = (expiresAt: Date, trafficLimitBytes: number | null) => ({
  expireAt: expiresAt.toISOString(),
  ...(trafficLimitBytes !== null && { trafficLimitBytes }),
})

function path(key: string, act = ''): string {
  if (!keyPattern.test(key)) throw new RangeError('no user of the panel')
  return `/api/users/${key}${act}`
}

/** A Remnawave panel. Ends are set, never added to: a change told twice is one. */
export function panelApi(access: PanelAccess) {
  const dialect = dialects[access.version]
  const call = caller(access, { authorization: `Bearer ${access.apiKey}` }, [access.apiKey])
  const own = (user: z.output<typeof User>): Reply<PanelUser> => {
    const { id, uuid, ...known } = user
    const key = dialect.keyOf(user)
    return key === null ? doubtful(`the panel is not of version ${access.version}`) : done({ ...known, key })
  }
  const one = async (question: Parameters<typeof send>[1]) => map(await send(call, question, User), own)
  return {
    /** Whether a user may be called so in this version: what was kept may be another one's name. */
    isKey: (key: string) => dialect.key.test(key),
    create: (user: NewPanelUser) => one({ method: 'POST', path: '/api/users', words: wordsOf(user) }),
    /**
     * Until when. Whoever had expired is active again by it; switched off or out of traffic they stay so. The panel refuses
     * what is past: whoever must not use it any more is switched off.
     * @param trafficLimitBytes null: it stays as it is
     */
    setEnd: (key: string, expiresAt: Date, trafficLimitBytes: number | null = null) =>
      one({
        method: 'PATCH',
        path: '/api/users',
        words: { ...dialect.named(key), ...termOf(expiresAt, trafficLimitBytes) },
      }),
    /** Told twice the panel refuses the second time; whoever is so already is read instead. */
    async switch(key: string, isOn: boolean): Promise<Reply<PanelUser>> {
      const reply = await one({ method: 'POST', path: path(key, isOn ? '/actions/enable' : '/actions/disable') })
      if (reply.kind !== 'refused' || reply.status === 404) return reply
      const now = await one({ method: 'GET', path: path(key) })
      return now.kind === 'done' && (now.value.status === 'DISABLED') === !isOn ? now : reply
    },
    user: async (key: string) => orNobody(await one({ method: 'GET', path: path(key) })),
    byUsername: async (username: string) =>
      orNobody(await one({ method: 'GET', path: `/api/users/by-username/${encodeURIComponent(username)}` })),
    /** Everybody with that Telegram account: there may be several. */
    async byTelegram(telegramId: number): Promise<Reply<PanelUser[]>> {
      const reply = await send(call, { method: 'GET', path: dialect.byTelegram(telegramId) }, Many)
      if (isNobody(reply)) return done([])
      return map(reply, (users) => {
        const known = users.map(own)
        return (
          known.find((user) => user.kind !== 'done') ??
          done(known.flatMap((user) => (user.kind === 'done' ? user.value : [])))
        )
      })
    },
  }
}

export type PanelApi = ReturnType<typeof panelApi>

function send<T>(
  call: Call,
  { method, path, words }: { method: 'GET' | 'POST' | 'PATCH'; path: string; words?: object },
  shape: z.ZodType<T>,
): Promise<Reply<T>> {
  return call({ method, path, ...(words && { body: JSON.stringify(words) }), read: reading(shape) })
}
