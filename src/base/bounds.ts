// Upper bounds that no sane use comes near, the same for flags, plans and functions: a slip of the hand is refused at
// once, where it would otherwise take all memory or compute for days.

/** What is counted over a training (epochs, iterations, images), and seconds. */
export const MANY = 1_000_000
/** Seeds are whole numbers of 32 bits. */
export const MAX_SEED = 2 ** 32 - 1
export const MAX_THREADS = 1024
/** Runs of a sweep at the same time. */
export const MAX_PARALLEL = 256
/** Far more views than help, and than a disk holds features of. */
export const MAX_VIEWS = 1000
/** Of a worker's time: 20 days, which a timer can still wait for. */
export const MAX_MINUTES = 28_800
