import { type About, hmac, isSuccess, json, type Teller } from './notice.ts'

const users = [
  'created',
  'modified',
  'deleted',
  'revoked',
  'disabled',
  'enabled',
  'limited',
  'expired',
  'traffic_reset',
]
const usersToo = ['first_connected', 'bandwidth_usage_threshold_reached', 'not_connected', 'expiration']
/** Of panels before 2.8. */
const usersOnce = ['expires_in_72_hours', 'expires_in_48_hours', 'expires_in_24_hours', 'expired_24_hours_ago']
const nodes = ['created', 'modified', 'disabled', 'enabled', 'deleted', 'connection_lost', 'connection_restored']
const service = [
  'panel_started',
  'login_attempt_failed',
  'login_attempt_success',
  'subpage_config_changed',
  'api_token_created',
  'api_token_deleted',
]
const billing = ['in_7_days', 'in_48hrs', 'in_24hrs', 'due_today', 'overdue_24hrs', 'overdue_48hrs', 'overdue_7_days']

/** What an expiration is told with: hours until the end, negative before it. */
const metas: Record<string, object> = {
  'user.expiration': { expiration: -24 },
  'user.not_connected': { notConnectedAfterHours: 24 },
}
const hourMs = 3_600_000

function userOf({ id, telegramId, at }: About): object {
  const moment = at.toISOString()
  return {
    id: Number(id),
    shortUuid: `short-${id}`,
    username: `tg_${telegramId}`,
    status: 'ACTIVE',
    trafficLimitBytes: 107_374_182_400,
    trafficLimitStrategy: 'MONTH',
    expireAt: new Date(at.getTime() + 24 * hourMs).toISOString(),
    telegramId,
    email: null,
    description: 'Иван',
    tag: null,
    hwidDeviceLimit: 3,
    externalSquadUuid: null,
    trojanPassword: 'simulated-trojan-password',
    vlessUuid: '7b44e483-82c5-4445-806e-fb1e8e58985a',
    ssPassword: 'simulated-ss-password',
    lastTriggeredThreshold: 0,
    subRevokedAt: null,
    lastTrafficResetAt: null,
    createdAt: moment,
    updatedAt: moment,
    subscriptionUrl: `https://sub.example.org/short-${id}`,
    activeInternalSquads: [],
    userTraffic: {
      usedTrafficBytes: 1024,
      lifetimeUsedTrafficBytes: 2048,
      onlineAt: null,
      lastConnectedNodeUuid: null,
      firstConnectedAt: null,
    },
  }
}

function dataOf(event: string, about: About): object {
  const [scope] = event.split('.')
  if (scope === 'user') return userOf(about)
  if (scope === 'user_hwid_devices')
    return { hwidUserDevice: { hwid: 'HWID-1', userId: Number(about.id), platform: 'iOS' }, user: userOf(about) }
  if (scope === 'torrent_blocker') return { user: userOf(about), report: { port: 6881 } }
  if (event === 'service.login_attempt_failed')
    return { loginAttempt: { username: 'admin', ip: '203.0.113.9', password: 'simulated-wrong-password' } }
  return scope === 'node' ? { uuid: '00000000-0000-4000-8000-000000000001', name: 'node-1' } : { panelVersion: '3.3.2' }
}

/** Remnawave 3: the secret's text signs the bytes; the time beside them is not signed. */
export const panelTeller: Teller = {
  events: [
    ...[...users, ...usersToo, ...usersOnce].map((name) => `user.${name}`),
    'user_hwid_devices.added',
    'user_hwid_devices.deleted',
    ...[...nodes, 'traffic_notify'].map((name) => `node.${name}`),
    ...service.map((name) => `service.${name}`),
    'errors.bandwidth_usage_threshold_reached_max_notifications',
    ...billing.map((name) => `crm.infra_billing_node_payment_${name}`),
    'torrent_blocker.report',
  ],
  body: (event, about) =>
    JSON.stringify({
      scope: event.split('.')[0],
      event,
      timestamp: about.at.toISOString(),
      data: dataOf(event, about),
      meta: metas[event] ?? null,
    }),
  sign(body, secret) {
    const timestamp = /"timestamp":"([^"]+)"/.exec(body.toString())?.[1]
    return {
      headers: {
        ...json,
        'user-agent': 'Remnawave',
        'x-remnawave-signature': hmac(secret, body),
        ...(timestamp !== undefined && { 'x-remnawave-timestamp': timestamp }),
      },
      body,
    }
  },
  isTaken: isSuccess,
}
