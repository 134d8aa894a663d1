import { signal } from '@preact/signals'

export interface Notice {
  readonly id: number
  readonly kind: 'error' | 'info'
  readonly text: string
  /** What to do about it. */
  readonly remedy?: string
}

export const notices = signal<readonly Notice[]>([])
const MOST = 4
/** Milliseconds. */
const BRIEFLY = 8000
let next = 0

export function tell(text: string, kind: Notice['kind'] = 'info', remedy?: string): void {
  const others = notices.value.filter((notice) => notice.text !== text)
  notices.value = [...others, { id: next++, kind, text, remedy }].slice(-MOST)
}

/** News that nobody has to act on: it goes by itself. */
export function tellBriefly(text: string): void {
  tell(text)
  const id = notices.value.at(-1)?.id
  if (id !== undefined) setTimeout(dismiss, BRIEFLY, id)
}

/** Says what went wrong; errors of the library say what to do about it, too. */
export function tellError(error: unknown): void {
  if (isAbort(error)) return
  tell(messageOf(error), 'error', remedyOf(error))
}

export const dismiss = (id: number): void => {
  notices.value = notices.value.filter((notice) => notice.id !== id)
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError'
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function remedyOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('remedy' in error)) return undefined
  return typeof error.remedy === 'string' ? error.remedy : undefined
}

export const dismissAll = (): void => {
  notices.value = []
}
