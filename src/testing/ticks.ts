const EVERY = 10

/** Share of the ticks of a 10 ms timer that this thread gets while work goes on: about 1 where nothing is in their way. */
export async function tickShare(work: () => Promise<unknown>): Promise<number> {
  let ticks = 0
  const start = performance.now()
  const timer = setInterval(() => ticks++, EVERY)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return (ticks * EVERY) / (performance.now() - start)
}
