import { afterEach, describe, expect, test } from 'vitest'
import { command, readCalendar, readHours } from '../../../db/telecom/telecom-cli.ts'
import { crm } from './telecom-stage.ts'

const house = await crm({ timeZone: 'Asia/Bishkek' })
const { post, read, call, db, admin } = house

const say = (...words: string[]) => command(db, words, async () => '')
const dueAt = async (id: number) => {
  const [row] = await db.sql<{ seconds: number }[]>`
    select extract(epoch from due_at - created_at)::bigint as seconds from tickets where id = ${id}`
  return row!.seconds
}
const patch = (id: number, status: string) => call('PATCH', `/tickets/${id}/`, { token: admin.token, body: { status } })
const thisYear = Number(new Intl.DateTimeFormat('en', { timeZone: 'Asia/Bishkek', year: 'numeric' }).format())

afterEach(async () => void (await say('hours', 'none')))

describe('the term of a ticket', () => {
  test('is a day round the clock, and what the operator says of its priority', async () => {
    expect(await dueAt((await house.ticket()).id)).toBe(86_400)
    await say('target', 'critical', '30')
    expect(await dueAt((await house.ticket({ priority: 'critical' })).id)).toBe(1_800)
    expect(await dueAt((await house.ticket({ priority: 'high' })).id)).toBe(86_400)
  })

  test('stands still while it waits, and goes on after that, also when it is opened again', async () => {
    const { id } = await house.ticket()
    await post(`/tickets/${id}/start_work/`)
    const paused = () => db.sql`update tickets set paused_at = paused_at - interval '1 hour' where id = ${id}`
    expect(await patch(id, 'waiting')).toMatchObject({ status: 200 })
    await paused()
    expect(await patch(id, 'in_progress')).toMatchObject({ status: 200 })
    const once = await dueAt(id)
    expect(once).toBeGreaterThanOrEqual(86_400 + 3_600)
    await post(`/tickets/${id}/resolve/`, { resolution: 'готово' })
    await paused()
    expect(await post(`/tickets/${id}/reopen/`)).toMatchObject({ status: 200 })
    expect(await dueAt(id)).toBeGreaterThanOrEqual(once + 3_600)
  })

  test('by working hours needs the calendar of its year, and says so in words', async () => {
    await say('hours', '1-7', '00:00-24:00')
    const body = { customer: (await house.customer()).id, subject: 'Не работает интернет' }
    const refused = await post('/tickets/', body)
    expect(refused).toMatchObject({ status: 400, body: { status: 'error' } })
    expect(refused.body.message).toContain('нет календаря рабочих дней')
    for (const year of [thisYear, thisYear + 1]) await say('calendar', 'KG', String(year), '-')
    const { status, body: made } = await post('/tickets/', body)
    expect([status, await dueAt(made.id)]).toEqual([201, 86_400])
    expect((await read('/tickets/overdue/')).body.map(({ id }: { id: number }) => id)).not.toContain(made.id)
  })
})

describe('what the operator says of working time', () => {
  test('is read from a line a day', () => {
    expect(readCalendar(2027, '# of Kyrgyzstan\n2027-01-01 holiday Новый год\r\n\n2027-01-02 workday\n')).toEqual([
      { day: '2027-01-01', kind: 'holiday', name: 'Новый год' },
      { day: '2027-01-02', kind: 'workday', name: null },
    ])
  })

  test.each([
    '2026-01-01 holiday',
    '2027-02-30 holiday',
    '2027-01-01',
    '2027-01-01 party',
    '2027-01-01 holiday\n2027-01-01 workday',
  ])('is refused where it is no day of the year: %s', (content) =>
    expect(() => readCalendar(2027, content)).toThrow(/2027/),
  )

  test('has hours by weekdays', () => {
    expect(readHours(['5-6', '09:00-13:00', '6', '14:00-24:00'])).toEqual([
      { weekday: 5, fromMinute: 540, toMinute: 780 },
      { weekday: 6, fromMinute: 540, toMinute: 780 },
      { weekday: 6, fromMinute: 840, toMinute: 1_440 },
    ])
  })

  test.each([
    ['1-5'],
    ['5-1', '09:00-18:00'],
    ['8', '09:00-18:00'],
    ['1', '18:00-09:00'],
    ['1', '09:00-18:00', '1', '17:00-19:00'],
  ])('has no hours like %s %s', (...words) => expect(() => readHours(words)).toThrow())

  test('is in place of what was said before', async () => {
    const days = async (content: string) => {
      await command(db, ['calendar', 'RU', '2027', 'file'], async () => content)
      return await db.sql`select day::text, kind from work_calendar_days where country = 'RU' order by day`
    }
    expect(await days('2027-01-01 holiday\n2027-01-02 day_off')).toHaveLength(2)
    expect(await days('2027-01-03 workday')).toEqual([{ day: '2027-01-03', kind: 'workday' }])
    await expect(say('calendar', 'RU', '2027')).rejects.toThrow('npm run telecom')
    await expect(say('target', 'urgent', '5')).rejects.toThrow('PRIORITY')
  })
})
