import type { Role } from '$lib/api/types';
import { label } from '$lib/i18n/t';

/** From most to least. */
export const ROLES: readonly Role[] = ['owner', 'admin', 'moderator', 'operator', 'member', 'guest'];

/** Only an owner makes or changes owners. */
export function mayChange(mine: Role, theirs: Role): boolean {
  return mine === 'owner' || theirs !== 'owner';
}

/** The roles that somebody may give, as options of a select. */
export function grantable(mine: Role): { value: Role; label: string; hint: string }[] {
  return ROLES.filter((role) => mayChange(mine, role)).map((role) => ({
    value: role,
    label: label('role.', role),
    hint: label('role.hint.', role),
  }));
}
