import Bot from '@lucide/svelte/icons/bot';
import FileClock from '@lucide/svelte/icons/file-clock';
import KeyRound from '@lucide/svelte/icons/key-round';
import MailWarning from '@lucide/svelte/icons/mail-warning';
import ScrollText from '@lucide/svelte/icons/scroll-text';
import UserRound from '@lucide/svelte/icons/user-round';
import UsersRound from '@lucide/svelte/icons/users-round';
import type { Component } from 'svelte';
import type { Right } from '$lib/api/types';
import type { Key } from '$lib/i18n/t';

export interface SettingsEntry {
  slug: string;
  name: Extract<Key, `settings.${string}`>;
  group: Extract<Key, `settings.group.${string}`>;
  icon: Component;
  /** Who sees it; everyone when absent. The server decides again on each call. */
  right?: Right;
  load: () => Promise<{ default: Component }>;
}

/** All settings in the order of the menu. */
export const entries: readonly SettingsEntry[] = [
  {
    slug: 'profile',
    name: 'settings.profile',
    group: 'settings.group.you',
    icon: UserRound,
    load: () => import('./profile/Profile.svelte'),
  },
  {
    slug: 'members',
    name: 'settings.members',
    group: 'settings.group.workspace',
    icon: UsersRound,
    right: 'members.read',
    load: () => import('./members/Members.svelte'),
  },
  {
    slug: 'bots',
    name: 'settings.bots',
    group: 'settings.group.workspace',
    icon: Bot,
    right: 'bots.read',
    load: () => import('./bots/Bots.svelte'),
  },
  {
    slug: 'keys',
    name: 'settings.keys',
    group: 'settings.group.workspace',
    icon: KeyRound,
    right: 'keys.manage',
    load: () => import('./keys/Keys.svelte'),
  },
  {
    slug: 'deliveries',
    name: 'settings.deliveries',
    group: 'settings.group.operation',
    icon: FileClock,
    right: 'deliveries.read',
    load: () => import('./deliveries/Deliveries.svelte'),
  },
  {
    slug: 'dead-letters',
    name: 'settings.deadLetters',
    group: 'settings.group.operation',
    icon: MailWarning,
    right: 'system.read',
    load: () => import('./dead-letters/DeadLetters.svelte'),
  },
  {
    slug: 'audit',
    name: 'settings.audit',
    group: 'settings.group.operation',
    icon: ScrollText,
    right: 'audit.read',
    load: () => import('./audit/Audit.svelte'),
  },
];
