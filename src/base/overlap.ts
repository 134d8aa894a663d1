import { breathe } from './breathe.ts'

/** `map` with at most `limit` calls under way, and breaths between; results in the order of the inputs. */
export async function mapLimited<In, Out>(
  inputs: readonly In[],
  limit: number,
  map: (input: In, index: number) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = new Array(inputs.length)
  let next = 0
  const work = async () => {
    while (next < inputs.length) {
      const i = next++
      results[i] = await map(inputs[i]!, i)
      const breath = breathe()
      if (breath) await breath
    }
  }
  await Promise.all(Array.from({ length: limit }, work))
  return results
}

/** Runs `first` on the next input while `second` works on the result of the one before. */
export async function pipeline<In, Out>(
  inputs: readonly In[],
  first: (input: In) => Promise<Out>,
  second: (result: Out) => Promise<void>,
): Promise<void> {
  const begin = (i: number) => {
    const result = i < inputs.length ? first(inputs[i]!) : undefined
    // Awaited only when the step before is through; its failure must not count as unhandled until then.
    result?.catch(() => undefined)
    return result
  }
  let ahead = begin(0)
  for (let i = 0; ahead; i++) {
    const working: Promise<void> = second(await ahead)
    ahead = begin(i + 1)
    await working
  }
}

/**
 * Room for work that takes up some: who asks waits until it fits beside what is under way, in the order of asking; what
 * is larger than all of it waits until it is alone. Gives what to call when the work is over.
 */
export function roomFor(total: number): (size: number) => Promise<() => void> {
  const waiting: { readonly size: number; readonly enter: () => void }[] = []
  let used = 0
  const admit = () => {
    for (let [next] = waiting; next !== undefined && (used === 0 || used + next.size <= total); [next] = waiting) {
      waiting.shift()
      used += next.size
      next.enter()
    }
  }
  return (size) =>
    new Promise((resolve) => {
      const leave = () => {
        used -= size
        admit()
      }
      waiting.push({ size, enter: () => resolve(leave) })
      admit()
    })
}
