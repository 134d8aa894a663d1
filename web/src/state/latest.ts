import { tellError } from './notices.ts'

/** Of work that is asked for again and again, only what the newest call gives is used. */
export function latest<T>(use: (value: T) => void): (work: () => Promise<T>) => Promise<void> {
  let newest = 0
  return async (work) => {
    const mine = ++newest
    try {
      const value = await work()
      if (mine === newest) use(value)
    } catch (error) {
      if (mine === newest) tellError(error)
    }
  }
}
