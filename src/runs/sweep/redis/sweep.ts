import { basename, resolve } from 'node:path'
import type { Hooks } from '../../../base/progress.ts'
import { type SweepState, underControl } from '../control.ts'
import type { RunEvents } from '../engines/engine.ts'
import type { ListHead } from '../list.ts'
import type { Prepared } from '../prepare.ts'
import { readAddress } from './address.ts'
import { queueEngine } from './engine.ts'
import { releasesOf } from './features.ts'
import { type Link, QueueError, withLink } from './link.ts'

/** Has the pending runs of a sweep done by workers that look into a queue. */
export async function runByQueue(
  word: string,
  prepared: Prepared,
  head: ListHead,
  eventsFor: (workers: () => number) => RunEvents,
  hooks: Hooks,
): Promise<void> {
  const { pending } = prepared
  const out = resolve(prepared.out)
  const sweep = { version: 1, name: basename(out), out, added: Date.now(), state: 'going', head } as const
  const work = async (link: Link) => {
    const engine = queueEngine(link, sweep, await releasesOf(prepared))
    // what an earlier start has left there is removed
    if (pending.length === 0)
      return engine.run(
        [],
        eventsFor(() => 1),
        hooks,
      )
    hooks.onWarning?.(
      `runs are done by workers of the queue at ${link.shown} (coop-ts worker --queue ...). After Ctrl-C they go on, and the same command takes their results in; coop-ts sweep cancel ${prepared.out} ends it all`,
    )
    const events = eventsFor(() => Math.max(1, engine.active))
    const obey = async (state: SweepState) => (state === 'cancelled' ? undefined : engine.obey(state))
    await underControl(out, hooks, (hooks) => engine.run(pending, events, hooks), obey)
  }
  await withLink(await readAddress(word), hooks, work).catch((error: unknown) => {
    if (pending.length > 0 || !(error instanceof QueueError)) throw error
  })
}
