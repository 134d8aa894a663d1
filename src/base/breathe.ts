/** Milliseconds that a thread may be kept from its timers and messages. */
const LONGEST = 5

/** When this thread last let others go on. */
let last = 0

/**
 * For long work on a thread that others share: awaited often, it lets timers and messages go on once in some
 * milliseconds, and costs nothing in between.
 */
export function breathe(): Promise<void> | undefined {
  if (performance.now() - last < LONGEST) return undefined
  return turn().then(() => {
    last = performance.now()
  })
}

/** What `each` makes of items, one after the other, with breaths between. */
export async function mapBreathing<T, Made>(items: Iterable<T>, each: (item: T) => Made): Promise<Made[]> {
  const made: Made[] = []
  for (const item of items) {
    made.push(each(item))
    const breath = breathe()
    if (breath) await breath
  }
  return made
}

/** The items that `keep` says yes to, with breaths between. */
export async function filterBreathing<T>(items: readonly T[], keep: (item: T) => boolean): Promise<T[]> {
  const kept: T[] = []
  await breathing(items.length, (i) => {
    const item = items[i]
    if (item !== undefined && keep(item)) kept.push(item)
  })
  return kept
}

/** Calls `each` with 0 to n - 1, one after the other, with breaths between. */
export async function breathing(n: number, each: (i: number) => void): Promise<void> {
  for (let i = 0; i < n; i++) {
    each(i)
    const breath = breathe()
    if (breath) await breath // awaiting nothing a million times takes long, too
  }
}

/** The next turn of the thread's loop. A message comes at once, where a timer would sleep a whole millisecond. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener('message', () => {
      port1.close()
      resolve()
    })
    port1.start()
    port2.postMessage(undefined)
  })
}
