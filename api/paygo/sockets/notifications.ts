import { countUnread } from '../../../db/messages/notifications.ts'
import { find } from '../../../db/paygo/notification-settings.ts'
import type { SocketRoute } from '../../socket-holders.ts'
import { isTransaction, transaction } from './words.ts'

/** What happens to somebody: their account's news, and their payments. */
export const notificationSocket: SocketRoute = {
  surface: 'paygo',
  path: /^(?:\/api\/v1)?\/ws\/notifications$/,
  open: (db, { userId }) => ({
    greet: async () => ({ unread: await countUnread(db.sql, userId, 'paygo') }),
    async tell(event) {
      if (event.userId !== userId) return []
      if (event.kind === 'notification.added') {
        const { kind, ...about } = event.data
        return [{ type: 'notification', data: { kind, about } }]
      }
      // That one has begun is no news yet.
      if (!isTransaction(event) || event.kind === 'transaction.pending') return []
      // Only payments may be switched off: whoever took over an account would silence the rest first.
      const settings = await find(db.sql, userId)
      if (settings?.transactionAlerts === false) return []
      return [{ type: 'notification', data: { kind: event.kind, about: transaction(event) } }]
    },
  }),
}
