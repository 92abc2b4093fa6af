import { z } from '@hono/zod-openapi'
import type { Reason } from '../../../db/powerbank/selection.ts'

/** Why the house chose this bank (docs/contracts.md 4.8): in words, and in the numbers behind them. */
export const Selection = {
  selection_reason: z.string().openapi({ example: 'Наибольший заряд (90%) среди исправных: 2 из 3' }),
  total_available: z.int(),
  healthy_count: z.int(),
  error_count: z.int(),
}

function words({ total, healthy, level, decidedBy }: Reason): string {
  const kind = healthy > 0 ? `среди исправных: ${healthy} из ${total}` : `среди ${total} с ошибками, исправных нет`
  switch (decidedBy) {
    case 'only':
      return healthy > 0 ? 'Единственный доступный повербанк' : 'Единственный доступный повербанк, с ошибками'
    case 'health':
      return `Единственный исправный из ${total} доступных`
    case 'level':
      return `Наибольший заряд (${level}%) ${kind}`
    case 'soh':
      return `Заряд одинаковый, наибольшее soh ${kind}`
    case 'slot':
      return `Заряд и soh одинаковые, наименьший номер слота ${kind}`
    case 'rest':
      return 'Лучшие в этот момент выдавались другим, выбран лучший из оставшихся'
  }
}

/** The value of `Selection`. */
export const spellSelection = (reason: Reason) => ({
  selection_reason: words(reason),
  total_available: reason.total,
  healthy_count: reason.healthy,
  error_count: reason.total - reason.healthy,
})
