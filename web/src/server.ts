import { signal } from '@preact/signals'
import { loadRun } from './state/learning.ts'
import { model, openModel } from './state/model.ts'
import { dismissAll, tellError } from './state/notices.ts'

/** A run that the server answers with (`coop-ts serve --run RUN`); addresses are relative to the page. */
export interface ServedRun {
  readonly name: string
  readonly classes: readonly string[]
  readonly learned: string
  /** Where the files of its model are; null: a page cannot read them. */
  readonly model: string | null
}

export const servedRuns = signal<readonly ServedRun[]>([])

/** Opens the first run of the server; a plain web host has none. */
export async function lookForRuns(): Promise<void> {
  try {
    const response = await fetch('./server.json')
    if (!response.ok) return
    const { runs } = await response.json()
    if (!Array.isArray(runs)) return // a web host that answers everything
    servedRuns.value = runs
  } catch {
    return // without a network
  }
  const [first] = servedRuns.value
  if (first) await openServed(first)
}

/** On the page's own model if it was learned on that, else on the server's. */
export async function openServed(served: ServedRun): Promise<void> {
  try {
    const response = await fetch(served.learned)
    if (!response.ok) throw new Error(`the server does not give the run ${served.name}: it answers ${response.status}`)
    const learned = await response.blob()
    if ((await loadRun(learned)) || served.model === null) return
    dismissAll()
    model.value = { from: 'server', name: served.name, url: served.model }
    await openModel()
    await loadRun(learned)
  } catch (error) {
    tellError(error)
  }
}
