export const holdStatuses = ['held', 'confirmed', 'released'] as const
