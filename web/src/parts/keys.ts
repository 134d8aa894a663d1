/** In a row of buttons the tab key stops once, and arrows go on from there. For the `onKeyDown` of what is around them. */
export function arrowKeys(event: KeyboardEvent): void {
  const step = STEPS[event.key]
  const { currentTarget, target } = event
  if (step === undefined || !(currentTarget instanceof HTMLElement) || !(target instanceof HTMLElement)) return
  const buttons = Array.from(currentTarget.querySelectorAll<HTMLElement>('[data-pick]'))
  const place = buttons.indexOf(target)
  if (place < 0) return
  event.preventDefault()
  buttons[(place + step + buttons.length) % buttons.length]?.focus()
}

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }
