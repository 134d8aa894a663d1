/** `map` with at most `limit` calls under way; results in the order of the inputs. */
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
