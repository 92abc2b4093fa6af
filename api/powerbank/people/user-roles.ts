import { z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/user-roles.ts'
import { cameled } from '../../names.ts'
import { resource } from '../../resource.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, router, shown, Time } from '../surface.ts'
import { Role } from './people.ts'
import { staff } from './rights.ts'

/** Who may do what in which unit (docs/contracts.md 4.14). */
export const userRoles = router()

resource(userRoles, dialect, {
  path: '/user-roles',
  id: 'role_id',
  name: 'UserRole',
  tag: 'Управление пользователями',
  words: {
    list: { summary: 'Получение списка ролей пользователей' },
    create: {
      summary: 'Создание роли пользователя',
      description: 'Роль не выше собственной, в своей группе. Собственные роли изменить нельзя.',
      done: 'Роль выдана',
      body: { user_id: 33, org_unit_id: 1, role: 'group_admin' },
    },
    remove: { summary: 'Удаление роли', done: 'Роль отозвана' },
  },
  verbs: { list: verbs.list, create: verbs.grant, remove: verbs.revoke },
  readers: staff,
  writers: staff,
  view: z.object({
    id: z.int(),
    role_id: z.int(),
    user_id: z.int(),
    user_fio: z.string(),
    role: Role,
    org_unit_id: z.int().nullable(),
    org_unit_name: z.string().nullable(),
    created_at: Time,
  }),
  toJson: (role) => ({ ...shown(role), role_id: role.id }),
  body: z.object({ user_id: idBody, role: Role, org_unit_id: idBody.nullish() }),
  fromJson: cameled,
  filter: { user_id: idParam, role: Role },
})
