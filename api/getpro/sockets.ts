import { countUnreadOf } from '../../db/getpro/notices.ts'
import type { SocketRoute } from '../socket-holders.ts'

/** What somebody is told, as it is told. */
export const notificationSocket: SocketRoute = {
  surface: 'getpro',
  path: /^\/api\/getpro\/ws\/notifications$/,
  open: (db, { userId }) => ({
    greet: async () => ({ unread: await countUnreadOf(db.sql, userId) }),
    async tell(event) {
      if (event.userId !== userId || event.kind !== 'getpro.notified') return []
      const { kind, ...about } = event.data
      return [{ type: 'notification', data: { kind: kind.replace(/^getpro\./, ''), about } }]
    },
  }),
}
