import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Schedule } from '../../../db/telecom/decide/calendar.ts'
import { dueAt, resume, type Term, type Work, workBetween } from '../../../db/telecom/decide/sla.ts'
import type { DayKind } from '../../../db/telecom/words.ts'

const week = (fromMinute = 540, toMinute = 1_080, days = [1, 2, 3, 4, 5]) =>
  days.map((weekday) => ({ weekday, fromMinute, toMinute }))
const schedule = (change: Partial<Schedule> = {}): Schedule => ({
  ...{ timeZone: 'Asia/Bishkek', country: 'KG', hours: week() },
  ...{ years: new Set([2026, 2027]), days: new Map<string, DayKind>() },
  ...change,
})
const at = (text: string) => new Date(`${text}+06:00`)
const due = (term: Term) => {
  if ('missing' in term) throw new Error(`no calendar of ${term.missing.year}`)
  return term.dueAt
}

describe('a term', () => {
  test.each([
    ['within a day', '2026-03-02T10:00:00', 60, '2026-03-02T11:00:00'],
    ['to the end of the day', '2026-03-02T10:00:00', 480, '2026-03-02T18:00:00'],
    ['over the night', '2026-03-02T17:30:00', 60, '2026-03-03T09:30:00'],
    ['over the weekend', '2026-03-06T17:00:00', 120, '2026-03-09T10:00:00'],
    ['that begins at night', '2026-03-02T03:00:00', 30, '2026-03-02T09:30:00'],
    ['of a whole week', '2026-03-02T09:00:00', 5 * 540, '2026-03-06T18:00:00'],
  ])('%s counts the hours of work', (_, from, minutes, to) => {
    expect(dueAt(schedule(), at(from), minutes)).toEqual({ dueAt: at(to) })
  })

  test('of a Monday that is a Sunday in UTC, and one given in Z, is of the Monday of the zone', () => {
    // 3:30 on Monday in Bishkek.
    expect(dueAt(schedule(), new Date('2026-03-01T21:30:00Z'), 60)).toEqual({ dueAt: at('2026-03-02T10:00:00') })
    expect(workBetween(schedule(), new Date('2026-03-02T03:00:00Z'), new Date('2026-03-02T12:00:00Z'))).toBe(
      540 * 60_000,
    )
  })

  test('passes over holidays, and uses a weekend that is worked', () => {
    const days = new Map<string, DayKind>([
      ['2026-03-09', 'holiday'],
      ['2026-03-07', 'workday'],
      ['2026-03-10', 'day_off'],
    ])
    const term = (minutes: number) => dueAt(schedule({ days }), at('2026-03-06T17:00:00'), minutes)
    expect(term(120)).toEqual({ dueAt: at('2026-03-07T10:00:00') })
    expect(term(60 + 540 + 60)).toEqual({ dueAt: at('2026-03-11T10:00:00') })
  })

  test('that reaches into a year without a calendar is not counted, and the year is named', () => {
    const from = at('2027-12-31T17:00:00')
    expect(dueAt(schedule(), from, 60)).toEqual({ dueAt: at('2027-12-31T18:00:00') })
    expect(dueAt(schedule(), from, 61)).toEqual({ missing: { country: 'KG', year: 2028 } })
    expect(dueAt(schedule({ hours: [] }), from, 1)).toEqual({ missing: { country: 'KG', year: 2028 } })
  })

  test('round the clock is so many minutes', () => {
    expect(dueAt(null, at('2026-03-06T17:00:00'), 1_440)).toEqual({ dueAt: at('2026-03-07T17:00:00') })
  })
})

const instant = fc.date({
  min: new Date('2026-01-05T00:00:00Z'),
  max: new Date('2026-09-30T00:00:00Z'),
  noInvalidDate: true,
})
const minutes = fc.integer({ min: 1, max: 6_000 })
const anyWork: fc.Arbitrary<Work> = fc.oneof(
  fc.constant(null),
  fc
    .record({
      timeZone: fc.constantFrom('Asia/Bishkek', 'Europe/Berlin', 'America/New_York', 'UTC'),
      fromMinute: fc.integer({ min: 0, max: 700 }),
      minutes: fc.integer({ min: 60, max: 700 }),
      days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 7 }),
      kind: fc.constantFrom<DayKind>('holiday', 'day_off', 'workday'),
      special: fc.uniqueArray(fc.integer({ min: 1, max: 28 }), { maxLength: 6 }),
    })
    .map(({ timeZone, fromMinute, minutes: length, days, kind, special }) =>
      schedule({
        timeZone,
        years: new Set(Array.from({ length: 20 }, (_, n) => 2026 + n)),
        hours: week(fromMinute, fromMinute + length, days),
        days: new Map(special.map((day) => [`2026-03-${String(day).padStart(2, '0')}`, kind])),
      }),
    ),
)
const milliseconds = (work: Work, from: Date, to: Date) => {
  const between = workBetween(work, from, to)
  if (typeof between !== 'number') throw new Error('no calendar')
  return between
}

describe('whatever the schedule', () => {
  test('there is exactly so much work from the beginning of a term to its end', () => {
    fc.assert(
      fc.property(anyWork, instant, minutes, (work, from, count) => {
        expect(milliseconds(work, from, due(dueAt(work, from, count)))).toBe(count * 60_000)
      }),
    )
  })

  test('a later beginning or a longer term never ends earlier', () => {
    fc.assert(
      fc.property(anyWork, instant, minutes, fc.nat(10_000), (work, from, count, more) => {
        const end = due(dueAt(work, from, count)).getTime()
        expect(due(dueAt(work, new Date(from.getTime() + more * 60_000), count)).getTime()).toBeGreaterThanOrEqual(end)
        expect(due(dueAt(work, from, count + more)).getTime()).toBeGreaterThanOrEqual(end)
      }),
    )
  })

  test('pauses take no work from a term: what was before and after them is the whole', () => {
    const pauses = fc.array(fc.tuple(fc.nat(2_000), fc.nat(5_000)), { maxLength: 4 })
    fc.assert(
      fc.property(anyWork, instant, minutes, pauses, (work, from, count, stops) => {
        let [now, end, worked] = [from, due(dueAt(work, from, count)), 0]
        for (const [before, pause] of stops) {
          const pausedAt = new Date(now.getTime() + before * 60_000)
          if (pausedAt >= end) break
          worked += milliseconds(work, now, pausedAt)
          now = new Date(pausedAt.getTime() + pause * 60_000)
          end = due(resume(work, { dueAt: end, pausedAt }, now))
        }
        expect(worked + milliseconds(work, now, end)).toBe(count * 60_000)
      }),
    )
  })

  test('a term that was over when its clock stopped stays over', () => {
    fc.assert(
      fc.property(anyWork, instant, minutes, (work, from, count) => {
        const end = due(dueAt(work, from, count))
        const pausedAt = new Date(end.getTime() + 1)
        expect(resume(work, { dueAt: end, pausedAt }, new Date(pausedAt.getTime() + 86_400_000))).toEqual({
          dueAt: end,
        })
      }),
    )
  })
})
