/** What somebody has typed and not sent, per conversation; kept by the browser until it is sent or cleared. */
export interface DraftText {
  text: string;
  note: boolean;
}

const key = (workspace: string, conversation: string) => `sb.draft.${workspace}.${conversation}`;

export function loadDraft(workspace: string, conversation: string): DraftText {
  try {
    const stored = localStorage.getItem(key(workspace, conversation));
    if (stored) return JSON.parse(stored) as DraftText;
  } catch {
    // Blocked or damaged storage means no draft, nothing worse.
  }
  return { text: '', note: false };
}

export function saveDraft(workspace: string, conversation: string, draft: DraftText): void {
  try {
    if (draft.text) localStorage.setItem(key(workspace, conversation), JSON.stringify(draft));
    else localStorage.removeItem(key(workspace, conversation));
  } catch {
    // A full or blocked storage must not stop anyone from typing.
  }
}
