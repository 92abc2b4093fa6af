/** Where a webhook event stands. */
export const inboxStates = ['received', 'done', 'ignored', 'failed', 'unmatched'] as const
export type InboxState = (typeof inboxStates)[number]

export const notificationStatuses = ['queued', 'sending', 'sent', 'captured', 'failed'] as const
