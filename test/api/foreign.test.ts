import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { scenes } from './contract-scenes.ts'
import { type Documented, stage, substituted } from './contract-stage.ts'
import { startApiServer } from './server.ts'

// Whatever the document lets somebody do with an object, nobody of another group can (docs/contracts.md 4).
const vectors = new URL('../vectors/endpoints-powerbank.json', import.meta.url)
const { endpoints } = JSON.parse(readFileSync(vectors, 'utf8')) as { endpoints: Documented[] }
const built = await startApiServer()
const { call, person, unit, db } = built
const foreign = await unit('чужие')
const name = ({ method, path }: Documented) => `${method} ${path}`

/** Operations whose objects belong to nobody's group, or to everybody. */
const openToAll: Record<string, string> = {
  'POST /api/admin/reject-user': 'newcomers are of no group yet',
}
const concerned = endpoints.filter((one) => {
  const text = `${one.path} ${JSON.stringify(one.request_example ?? {})}`
  return one.auth !== 'none' && /_id/.test(text) && !(name(one) in openToAll)
})

/** What a table held: nothing may have changed. */
const tables = [
  'orders',
  'powerbanks',
  'stations',
  'users',
  'user_roles',
  'org_units',
  'station_powerbanks',
  'device_commands',
]
const state = async () =>
  await Promise.all(
    tables.map(async (table) => {
      const [row] =
        await db.sql`select count(*) as n, md5(string_agg(t::text, '|' order by id)) as sum from ${db.sql(table)} t`
      return `${table} ${row!.n} ${row!.sum}`
    }),
  )

describe.each(concerned.map((one) => [name(one), one] as const))(
  '%s',
  (key, { method, path, request_example: example }) => {
    test.each(['group_admin', 'user'])('is closed to a %s of another group, and changes nothing', async (role) => {
      const world = await stage(built)
      const scene = (await scenes[key]?.(world)) ?? {}
      const ids = { ...world.ids, ...scene.ids }
      const stranger = await person(role, foreign)
      const body = scene.body ?? (example ? substituted(example, { ...ids, admin_user_id: stranger.id }) : undefined)
      const url =
        path.replaceAll(/\{([^}]+)\}/g, (_, part) => String(ids[part])) + (scene.query ? `?${scene.query}` : '')
      const before = await state()
      const { status, body: answer } = await call(method, url, { token: stranger.token, ...(body ? { body } : {}) })
      if (status !== 200 || !Array.isArray(answer.results)) expect([403, 404], JSON.stringify(answer)).toContain(status)
      else expect(answer.success_count).toBe(0)
      expect(await state()).toEqual(before)
    })
  },
)

const lists = endpoints.filter(({ method, path, auth }) => method === 'GET' && auth !== 'none' && !path.includes('{'))
describe.each(lists.map((one) => [name(one), one] as const))('%s', (_, { path, query = {} }) => {
  test.each(['group_admin', 'user'])('shows a %s of another group nothing of ours, asked for or not', async (role) => {
    const { ids, box, user, borrowed } = await stage(built)
    await borrowed()
    const stranger = await person(role, foreign)
    const ours = [box.boxId, user.phone, user.email, ...Object.values(box.banks).map(({ bankId }) => bankId)]
    const asked = Object.keys(query).filter((key) => key in ids)
    for (const url of [path, ...asked.map((key) => `${path}?${key}=${ids[key]}`)]) {
      const { status, body } = await call('GET', url, { token: stranger.token })
      expect([200, 403, 404], url).toContain(status)
      for (const secret of ours) expect(JSON.stringify(body), url).not.toContain(secret)
    }
  })
})
