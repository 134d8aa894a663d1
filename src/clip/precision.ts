import { z } from 'zod'

/** In what the image tower computes. */
export const PRECISIONS = ['float32', 'int8'] as const
/** `float32`, or `int8`: in whole numbers of 8 bits, on the CPU alone; a graphics card computes in float32 then, too. */
export type Precision = (typeof PRECISIONS)[number]
/** For arguments. */
export const aPrecision = z.enum(PRECISIONS, { error: PRECISIONS.join(' or ') })
