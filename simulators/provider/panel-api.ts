import { randomUUID } from 'node:crypto'
import { type Asked, type Said, wordsOf } from './api-server.ts'
import { type ApiSettings, type ProviderApi, text } from './provider-api.ts'

interface User extends Record<string, unknown> {
  id: number
  uuid: string
  username: string
  status: 'ACTIVE' | 'DISABLED' | 'LIMITED' | 'EXPIRED'
  expireAt: string
  telegramId: number | null
}

interface Panel {
  version: '2' | '3'
  users: User[]
  settings: ApiSettings
}

const usernamePattern = /^[\w-]{3,36}$/
const tagPattern = /^[A-Z0-9_]{1,16}$/
const datePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d/
const firstId = 1_207
const pathsOfVersion = { 2: /^[0-9a-f-]{36}$/, 3: /^\d+$/ }

const wrong = (status: number, message: string, errorCode?: string): Said => ({
  status,
  body: { timestamp: new Date().toISOString(), path: '/api/users', message, ...(errorCode && { errorCode }) },
})
const nobody = wrong(404, 'User not found', 'A063')

/** Version 3 knows no uuid of a user. */
const shown = ({ version }: Panel, { uuid, ...user }: User) => (version === '3' ? user : { ...user, uuid })
const one = (panel: Panel, user: User): Said => ({ status: 200, body: { response: shown(panel, user) } })

function tell({ settings, ...panel }: Panel, event: string, user: User) {
  const data = shown({ settings, ...panel }, user)
  const notice = { scope: 'user', event: `user.${event}`, timestamp: new Date().toISOString(), data, meta: null }
  return settings.tell(notice.event, JSON.stringify(notice))
}

/** What is wrong with what somebody is to be. */
function mistake(words: Record<string, unknown>): string | null {
  if (words.tag != null && !tagPattern.test(text(words.tag))) return 'Tag must be less than 16 characters'
  if (words.expireAt !== undefined && !datePattern.test(text(words.expireAt))) return 'Invalid datetime'
  if (words.telegramId != null && typeof words.telegramId !== 'number') return 'Invalid input: expected number'
  return null
}

function create(panel: Panel, asked: Asked): Said {
  const words = wordsOf(asked)
  const username = text(words.username)
  if (!usernamePattern.test(username)) return wrong(400, 'Username is invalid')
  const fault = mistake(words) ?? (words.expireAt === undefined ? 'Invalid datetime' : null)
  if (fault) return wrong(400, fault)
  if (panel.users.some((user) => user.username === username)) return wrong(400, 'User username already exists', 'A019')
  const id = firstId + panel.users.length
  const user: User = {
    status: 'ACTIVE',
    telegramId: null,
    email: null,
    ...words,
    id,
    uuid: randomUUID(),
    username,
    expireAt: new Date(text(words.expireAt)).toISOString(),
    shortUuid: `short-${id}`,
    trojanPassword: 'simulated-trojan-password',
    subscriptionUrl: `https://sub.example.org/short-${id}`,
    createdAt: new Date().toISOString(),
  }
  panel.users.push(user)
  void tell(panel, 'created', user)
  return { status: 201, body: { response: shown(panel, user) } }
}

function change(panel: Panel, asked: Asked): Said {
  const { id, uuid, username, ...words } = wordsOf(asked)
  const user = panel.users.find(
    (other) => other.username === username || (panel.version === '3' ? other.id === id : other.uuid === uuid),
  )
  if (!user) return nobody
  const fault = mistake(words)
  if (fault) return wrong(400, fault)
  if (words.status !== undefined && words.status !== 'ACTIVE' && words.status !== 'DISABLED')
    return wrong(400, 'Invalid status')
  if (words.expireAt !== undefined && Date.parse(text(words.expireAt)) <= Date.now())
    return wrong(400, 'Expiration date cannot be in the past')
  const isBack = user.status === 'EXPIRED' && words.expireAt !== undefined && words.status === undefined
  Object.assign(user, words, isBack && { status: 'ACTIVE' })
  void tell(panel, 'modified', user)
  return one(panel, user)
}

function turn(panel: Panel, user: User, isOn: boolean): Said {
  if ((user.status !== 'DISABLED') === isOn)
    return isOn ? wrong(400, 'User already enabled', 'A030') : wrong(400, 'User already disabled', 'A029')
  user.status = isOn ? 'ACTIVE' : 'DISABLED'
  void tell(panel, isOn ? 'enabled' : 'disabled', user)
  return one(panel, user)
}

function find(panel: Panel, asked: Asked): Said | null {
  const { users, version } = panel
  const [, username] = /^\/api\/users\/by-username\/([\w-]+)$/.exec(asked.path) ?? []
  if (username !== undefined) {
    const user = users.find((other) => other.username === username)
    return user ? one(panel, user) : nobody
  }
  const [, telegramId] = /^\/api\/users\/by-telegram-id\/(\d+)$/.exec(asked.path) ?? []
  const mine = (id: string | null) =>
    users.filter((user) => String(user.telegramId) === id).map((user) => shown(panel, user))
  if (telegramId !== undefined && version === '2') {
    const found = mine(telegramId)
    return found.length > 0 ? { status: 200, body: { response: found } } : nobody
  }
  if (asked.path !== '/api/users/stream' || version !== '3') return null
  const found = { users: mine(asked.query.get('telegramId')), nextCursor: null, hasMore: false }
  return { status: 200, body: { response: found } }
}

function answer(panel: Panel, asked: Asked): Said {
  if (asked.headers.authorization !== `Bearer ${panel.settings.credential}`) return wrong(401, 'Unauthorized')
  if (asked.path === '/api/users' && asked.method === 'POST') return create(panel, asked)
  if (asked.path === '/api/users' && asked.method === 'PATCH') return change(panel, asked)
  const found = asked.method === 'GET' ? find(panel, asked) : null
  if (found) return found
  const [, key = '', act] = /^\/api\/users\/([\w-]+)(?:\/actions\/(enable|disable))?$/.exec(asked.path) ?? []
  if (!pathsOfVersion[panel.version].test(key)) return wrong(404, `Cannot ${asked.method} ${asked.path}`)
  const user = panel.users.find((other) => (panel.version === '3' ? String(other.id) : other.uuid) === key)
  if (!user) return nobody
  if (act) return asked.method === 'POST' ? turn(panel, user, act === 'enable') : wrong(404, 'Cannot GET')
  return one(panel, user)
}

/** A Remnawave panel; its credential is the token of its API. Nobody pays there: `pay` lets a user expire. */
export function panelApi(settings: ApiSettings, version: '2' | '3'): ProviderApi {
  const panel: Panel = { version, users: [], settings }
  return {
    async pay(username) {
      const user = panel.users.find((other) => other.username === username)
      if (!user) return
      Object.assign(user, { status: 'EXPIRED', expireAt: new Date().toISOString() })
      return tell(panel, 'expired', user)
    },
    close: () => {},
    isApi: () => true,
    answer: (asked) => answer(panel, asked),
  }
}
